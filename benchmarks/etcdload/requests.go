package main

import (
	"context"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const requestTimeout = 10 * time.Second

// step is one request of a workload.
type step func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error

// steps are the workloads that are one request again and again.
func steps(val string) map[string]step {
	put := func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
		_, err := c.Put(ctx, key(r), val)
		return err
	}
	get := func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
		_, err := c.Get(ctx, key(r))
		return err
	}
	return map[string]step{
		"put":   put,
		"range": get,
		"srange": func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
			_, err := c.Get(ctx, key(r), clientv3.WithSerializable())
			return err
		},
		"txn": func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
			k := key(r)
			_, err := c.Txn(ctx).If(clientv3.Compare(clientv3.Version(k), ">", -1)).
				Then(clientv3.OpPut(k, val)).Else(clientv3.OpGet(k)).Commit()
			return err
		},
		"mixed": func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
			if r.Intn(10) == 0 {
				return put(ctx, c, r)
			}
			return get(ctx, c, r)
		},
		"scan": func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
			_, err := c.Get(ctx, "bench/", clientv3.WithPrefix(), clientv3.WithLimit(1000))
			return err
		},
		"count": func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
			_, err := c.Get(ctx, "bench/", clientv3.WithPrefix(), clientv3.WithCountOnly())
			return err
		},
		"page": func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
			end := clientv3.GetPrefixRangeEnd("bench/")
			_, err := c.Get(ctx, key(r), clientv3.WithRange(end), clientv3.WithLimit(10))
			return err
		},
	}
}

// closedLoop runs step in every client until the time is up.
func closedLoop(cs []*clientv3.Client, rec *recorder, do step) time.Duration {
	start := time.Now()
	stop := start.Add(*dur)
	everyClient(cs, func(i int, c *clientv3.Client, r *rand.Rand) {
		for time.Now().Before(stop) {
			once(c, r, rec, time.Now(), do)
		}
	})
	return time.Since(start)
}

// openLoop gives the clients turns at fixed times. A client that is late issues its request at once, and the
// latency counts from when it was due; what was not issued when the time is up is not issued at all.
func openLoop(cs []*clientv3.Client, rec *recorder, do step) time.Duration {
	start := time.Now()
	stop := start.Add(*dur)
	everyClient(cs, func(i int, c *clientv3.Client, r *rand.Rand) {
		for n := i; time.Now().Before(stop); n += *clients {
			due := start.Add(time.Duration(float64(n) / *offered * 1e9))
			if due.After(stop) {
				return
			}
			time.Sleep(time.Until(due))
			once(c, r, rec, due, do)
		}
	})
	return time.Since(start)
}

func everyClient(cs []*clientv3.Client, work func(i int, c *clientv3.Client, r *rand.Rand)) {
	var wg sync.WaitGroup
	for i := 0; i < *clients; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			work(i, cs[i%len(cs)], rand.New(rand.NewSource(int64(i))))
		}(i)
	}
	wg.Wait()
}

func once(c *clientv3.Client, r *rand.Rand, rec *recorder, since time.Time, do step) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := do(ctx, c, r); err != nil {
		rec.fail(err)
	} else {
		rec.ok(since)
	}
}

// load writes every key once, in transactions of -batch puts; -dur does not bound it.
func load(cs []*clientv3.Client, rec *recorder) {
	val := string(make([]byte, *valSize))
	var next int64
	start := time.Now()
	everyClient(cs, func(i int, c *clientv3.Client, r *rand.Rand) {
		for {
			first := int(atomic.AddInt64(&next, int64(*batch))) - *batch
			if first >= *keys {
				return
			}
			var puts []clientv3.Op
			for n := first; n < first+*batch && n < *keys; n++ {
				puts = append(puts, clientv3.OpPut(keyNumber(n), val))
			}
			once(c, r, rec, time.Now(), func(ctx context.Context, c *clientv3.Client, r *rand.Rand) error {
				_, err := c.Txn(ctx).Then(puts...).Commit()
				return err
			})
		}
	})
	elapsed := time.Since(start)
	rec.report(elapsed, map[string]interface{}{"keys": *keys, "keys_per_second": float64(*keys) / elapsed.Seconds()})
}
