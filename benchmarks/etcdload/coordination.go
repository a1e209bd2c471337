package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
	pb "go.etcd.io/etcd/etcdserver/etcdserverpb"
)

// watch has one writer and -clients watchers; latency is from a write's call to an event's arrival.
func watch(cs []*clientv3.Client, rec *recorder) {
	ctx, cancel := context.WithCancel(context.Background())
	var ready, wg sync.WaitGroup
	for i := 0; i < *clients; i++ {
		ready.Add(1)
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			first := true
			for resp := range cs[i%len(cs)].Watch(ctx, "watch/", clientv3.WithPrefix(), clientv3.WithCreatedNotify()) {
				if first {
					first = false
					ready.Done()
				}
				if resp.Err() != nil {
					rec.fail(resp.Err())
				}
				for _, ev := range resp.Events {
					ns, _ := strconv.ParseInt(strings.TrimSpace(string(ev.Kv.Value[:20])), 10, 64)
					rec.ok(time.Unix(0, ns))
				}
			}
		}(i)
	}
	ready.Wait()
	pad := strings.Repeat("x", *valSize)
	start, n := time.Now(), 0
	for time.Since(start) < *dur {
		if _, err := cs[0].Put(ctx, fmt.Sprintf("watch/%d", n%100), fmt.Sprintf("%-20d%s", time.Now().UnixNano(), pad)); err != nil {
			rec.fail(err)
		}
		n++
		if *rate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(float64(n) / *rate * 1e9))))
		}
	}
	elapsed := time.Since(start)
	time.Sleep(500 * time.Millisecond)
	cancel()
	wg.Wait()
	rec.report(elapsed, map[string]interface{}{
		"writes": n, "writes_per_second": float64(n) / elapsed.Seconds(), "expected_events": n * *clients,
	})
}

// keepalive renews -clients leases round robin, each time on a stream of its own (KeepAliveOnce).
func keepalive(cs []*clientv3.Client, rec *recorder) {
	ids := make([]clientv3.LeaseID, *clients)
	for i := range ids {
		g, err := cs[i%len(cs)].Grant(context.Background(), 60)
		if err != nil {
			rec.fail(err)
			continue
		}
		ids[i] = g.ID
	}
	var next int64
	elapsed := closedLoop(cs, rec, func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
		_, err := c.KeepAliveOnce(ctx, ids[int(atomic.AddInt64(&next, 1))%len(ids)])
		return err
	})
	rec.report(elapsed, nil)
}

// renewing is a lease and the stream on which it is kept.
type renewing struct {
	id     int64
	stream pb.Lease_LeaseKeepAliveClient
}

// once renews the lease; false where the server does not know it.
func (r renewing) once() (bool, error) {
	if err := r.stream.Send(&pb.LeaseKeepAliveRequest{ID: r.id}); err != nil {
		return false, err
	}
	answer, err := r.stream.Recv()
	return err == nil && answer.TTL > 0, err
}

// renew keeps a stream open for each client, as KeepAlive of etcd's client does, and renews one lease on it again and again.
func renew(cs []*clientv3.Client, rec *recorder) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	leases := make([]renewing, *clients)
	everyClient(cs, func(i int, c *clientv3.Client, r *rand.Rand) {
		var err error
		if leases[i], err = granted(ctx, c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	})
	start := time.Now()
	everyClient(cs, func(i int, c *clientv3.Client, r *rand.Rand) {
		for time.Since(start) < *dur {
			since := time.Now()
			known, err := leases[i].once()
			if err != nil {
				rec.fail(err)
				return
			}
			if !known {
				rec.fail(fmt.Errorf("lease %x is not known", leases[i].id))
				continue
			}
			rec.ok(since)
		}
	})
	rec.report(time.Since(start), nil)
}

// granted is a lease that the leader knows: etcd 3.5 answers a grant where it is applied, which may be before the leader has.
func granted(ctx context.Context, c *clientv3.Client) (renewing, error) {
	grant, err := c.Grant(ctx, 60)
	if err != nil {
		return renewing{}, err
	}
	stream, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(ctx)
	if err != nil {
		return renewing{}, err
	}
	lease := renewing{int64(grant.ID), stream}
	for known := false; !known; {
		if known, err = lease.once(); err != nil {
			return renewing{}, err
		}
	}
	return lease, nil
}

// lock has one session on each connection, all after the same lock; latency is from asking to holding.
func lock(cs []*clientv3.Client, rec *recorder) {
	sessions := make([]*concurrency.Session, len(cs))
	for i, c := range cs {
		s, err := concurrency.NewSession(c, concurrency.WithTTL(30))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		sessions[i] = s
	}
	var holders, violations int64
	var wg sync.WaitGroup
	start := time.Now()
	for i := range sessions {
		wg.Add(1)
		go func(s *concurrency.Session) {
			defer wg.Done()
			for time.Since(start) < *dur {
				m := concurrency.NewMutex(s, "lock/one")
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				t := time.Now()
				if err := m.Lock(ctx); err != nil {
					rec.fail(err)
				} else {
					if atomic.AddInt64(&holders, 1) != 1 {
						atomic.AddInt64(&violations, 1)
					}
					rec.ok(t)
					atomic.AddInt64(&holders, -1)
					if err := m.Unlock(ctx); err != nil {
						rec.fail(err)
					}
				}
				cancel()
			}
		}(sessions[i])
	}
	wg.Wait()
	rec.report(time.Since(start), map[string]interface{}{"mutual_exclusion_violations": violations})
}

// gap writes steadily and reports the longest time without an acknowledged write: kill a node meanwhile.
func gap(cs []*clientv3.Client, rec *recorder) {
	start, last, longest := time.Now(), time.Now(), time.Duration(0)
	var mu sync.Mutex
	everyClient(cs, func(i int, c *clientv3.Client, r *rand.Rand) {
		for n := 0; time.Since(start) < *dur; n++ {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			t := time.Now()
			_, err := c.Put(ctx, fmt.Sprintf("gap/%d", i), strconv.Itoa(n))
			cancel()
			if err != nil {
				rec.fail(err)
				continue
			}
			rec.ok(t)
			mu.Lock()
			if d := time.Since(last); d > longest {
				longest = d
			}
			last = time.Now()
			mu.Unlock()
			time.Sleep(5 * time.Millisecond)
		}
	})
	rec.report(time.Since(start), map[string]interface{}{"longest_gap_ms": float64(longest.Microseconds()) / 1e3})
}
