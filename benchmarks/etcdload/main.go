// etcdload drives any server that speaks the etcd v3 API with etcd's own Go client and prints one
// JSON line: throughput, latency quantiles in milliseconds, and errors.
//
//	etcdload -endpoints H:P,H:P,H:P -op put -conns 10 -clients 100 -dur 10s
//
// Closed loop: every client issues its next request when the previous one has answered.
// Open loop (-offered R): requests are due R times a second whatever the answers do, and latency
// counts from when a request was due, so a stall is not hidden by the requests it held back.
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/clientv3"
)

var (
	endpoints = flag.String("endpoints", "127.0.0.1:2379", "comma-separated client endpoints")
	op        = flag.String("op", "put", strings.Join(operations(), " | "))
	conns     = flag.Int("conns", 10, "gRPC connections")
	clients   = flag.Int("clients", 100, "concurrent clients (watch: watchers; keepalive: leases)")
	dur       = flag.Duration("dur", 10*time.Second, "how long to run (load: until all keys are there)")
	valSize   = flag.Int("val", 256, "value size in bytes")
	keys      = flag.Int("keys", 10000, "size of the key space")
	batch     = flag.Int("batch", 100, "load only: puts in one transaction")
	offered   = flag.Float64("offered", 0, "requests per second, open loop (0: closed loop)")
	rate      = flag.Float64("rate", 0, "watch only: writes per second (0: as fast as one writer can)")
)

func operations() []string {
	return []string{
		"put", "range", "srange", "txn", "mixed", "scan", "count", "page",
		"load", "watch", "fanout", "reach", "keepalive", "renew", "storm", "lock", "gap",
	}
}

func keyNumber(n int) string { return fmt.Sprintf("bench/%08d", n) }

func key(r *rand.Rand) string { return keyNumber(r.Intn(*keys)) }

func dial() []*clientv3.Client {
	var cs []*clientv3.Client
	for i := 0; i < *conns; i++ {
		c, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(*endpoints, ","), DialTimeout: 5 * time.Second})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		cs = append(cs, c)
	}
	return cs
}

func main() {
	flag.Parse()
	rec := &recorder{}
	switch *op {
	case "load":
		load(dial(), rec)
	case "watch":
		watch(dial(), rec)
	case "fanout":
		fanout(dial(), rec)
	case "reach":
		reach(dial(), rec)
	case "keepalive":
		keepalive(dial(), rec)
	case "renew":
		renew(dial(), rec)
	case "storm":
		storm(dial(), rec)
	case "lock":
		lock(dial(), rec)
	case "gap":
		gap(dial(), rec)
	default:
		step, known := steps(strings.Repeat("x", *valSize))[*op]
		if !known {
			fmt.Fprintln(os.Stderr, "unknown -op", *op)
			os.Exit(2)
		}
		if *offered > 0 {
			rec.report(openLoop(dial(), rec, step), map[string]interface{}{"offered": *offered})
		} else {
			rec.report(closedLoop(dial(), rec, step), nil)
		}
	}
}
