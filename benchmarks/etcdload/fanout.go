package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
	pb "go.etcd.io/etcd/etcdserver/etcdserverpb"
	"google.golang.org/grpc"
)

var writers = flag.Int("writers", 1, "fanout only: concurrent writers")

// watchers opens a stream on every connection and spreads -clients watchers of the prefix watch/ over them. It reads the
// streams as they come, without a goroutine and a channel for each watcher, and only one watcher of each stream decodes what it
// is told: the servers are to be measured, and share the machine with this client. told is called for every response, by one
// goroutine for each stream, with the number of its events, and with the response itself for the one watcher.
func watchers(ctx context.Context, cs []*clientv3.Client, rec *recorder, told func(events int, resp *pb.WatchResponse)) {
	var ready sync.WaitGroup
	for i, c := range cs {
		stream, err := pb.NewWatchClient(c.ActiveConnection()).Watch(ctx, grpc.ForceCodec(encoded{}))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		wanted := *clients / len(cs)
		if i < *clients%len(cs) {
			wanted++
		}
		ready.Add(wanted)
		go func() {
			for n := 0; n < wanted; n++ {
				create := &pb.WatchCreateRequest{Key: []byte("watch/"), RangeEnd: []byte("watch0")}
				stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
			}
		}()
		go func() {
			for {
				var data []byte
				if err := stream.RecvMsg(&data); err != nil {
					if ctx.Err() == nil {
						rec.fail(err)
					}
					return
				}
				events, first := skim(data)
				var resp *pb.WatchResponse
				if events == 0 || first {
					resp = &pb.WatchResponse{}
					if err := resp.Unmarshal(data); err != nil {
						rec.fail(err)
						return
					}
				}
				if resp != nil && resp.Created {
					ready.Done()
				} else {
					told(events, resp)
				}
			}
		}()
	}
	ready.Wait()
}

func stamped(n int) (string, string) {
	return fmt.Sprintf("watch/%d", n%100), fmt.Sprintf("%-20d%s", time.Now().UnixNano(), strings.Repeat("x", *valSize))
}

func stamp(value []byte) time.Time {
	ns, _ := strconv.ParseInt(strings.TrimSpace(string(value[:20])), 10, 64)
	return time.Unix(0, ns)
}

// fanout counts events that reach watchers while -writers write as fast as they are answered, and until the last event is
// there. Latency is from a write's call to the event's arrival at one watcher of each stream.
func fanout(cs []*clientv3.Client, rec *recorder) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var events, writes int64
	watchers(ctx, cs, rec, func(told int, resp *pb.WatchResponse) {
		atomic.AddInt64(&events, int64(told))
		if resp != nil {
			for _, ev := range resp.Events {
				rec.ok(stamp(ev.Kv.Value))
			}
		}
	})
	start := time.Now()
	var wg sync.WaitGroup
	for i := 0; i < *writers; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for time.Since(start) < *dur {
				key, value := stamped(int(atomic.AddInt64(&writes, 1)))
				if _, err := cs[i%len(cs)].Put(ctx, key, value); err != nil {
					rec.fail(err)
				}
			}
		}(i)
	}
	wg.Wait()
	expected := writes * int64(*clients)
	for deadline := time.Now().Add(30 * time.Second); atomic.LoadInt64(&events) < expected && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	elapsed := time.Since(start)
	if events != expected {
		rec.fail(fmt.Errorf("%d events of %d", events, expected))
	}
	rec.report(elapsed, map[string]interface{}{
		"count": events, "per_second": float64(events) / elapsed.Seconds(),
		"writes": writes, "writes_per_second": float64(writes) / elapsed.Seconds(),
	})
}

// reach writes one value after the other; latency is from a write's call until the last of all watchers has it.
func reach(cs []*clientv3.Client, rec *recorder) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var missing int64
	arrived := make(chan struct{}, 1)
	watchers(ctx, cs, rec, func(told int, _ *pb.WatchResponse) {
		if atomic.AddInt64(&missing, -int64(told)) == 0 {
			arrived <- struct{}{}
		}
	})
	start := time.Now()
	for n := 0; time.Since(start) < *dur; n++ {
		atomic.StoreInt64(&missing, int64(*clients))
		since := time.Now()
		key, value := stamped(n)
		if _, err := cs[n%len(cs)].Put(ctx, key, value); err != nil {
			rec.fail(err)
			break
		}
		select {
		case <-arrived:
			rec.ok(since)
		case <-time.After(requestTimeout):
			rec.fail(fmt.Errorf("%d watchers were not reached", atomic.LoadInt64(&missing)))
			break
		}
	}
	rec.report(time.Since(start), nil)
}
