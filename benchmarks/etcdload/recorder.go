package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

// recorder collects the latency of every answered request, and the errors.
type recorder struct {
	mu   sync.Mutex
	ms   []float64
	errs int64
	last string
}

func (r *recorder) ok(since time.Time) {
	d := float64(time.Since(since).Microseconds()) / 1e3
	r.mu.Lock()
	r.ms = append(r.ms, d)
	r.mu.Unlock()
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	r.errs++
	r.last = err.Error()
	r.mu.Unlock()
}

// report prints the JSON line; a run without a single answer ends with status 1.
func (r *recorder) report(elapsed time.Duration, extra map[string]interface{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sort.Float64s(r.ms)
	q := func(p float64) float64 {
		if len(r.ms) == 0 {
			return -1
		}
		return r.ms[int(p*float64(len(r.ms)-1))]
	}
	out := map[string]interface{}{
		"op": *op, "conns": *conns, "clients": *clients, "val": *valSize, "seconds": elapsed.Seconds(),
		"count": len(r.ms), "per_second": float64(len(r.ms)) / elapsed.Seconds(), "errors": r.errs,
		"p50_ms": q(.5), "p90_ms": q(.9), "p99_ms": q(.99), "p999_ms": q(.999), "max_ms": q(1),
	}
	if r.last != "" {
		out["last_error"] = r.last
	}
	for k, v := range extra {
		out[k] = v
	}
	b, _ := json.Marshal(out)
	fmt.Println(string(b))
	if len(r.ms) == 0 {
		os.Exit(1)
	}
}
