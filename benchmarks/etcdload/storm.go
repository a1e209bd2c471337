package main

import (
	"context"
	"fmt"
	"math/rand"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const (
	stormPrefix = "storm/"
	stormTTL    = 10 * time.Second
	stormPuts   = 1000.0 // a second, unless -offered says otherwise
)

// storm grants -keys leases with a key each, lets all of them expire at about the same time, and measures puts meanwhile: from the
// first expiry until the last key is gone, or -dur is over.
func storm(cs []*clientv3.Client, rec *recorder) {
	var next, granted int64
	everyClient(cs, func(i int, c *clientv3.Client, r *rand.Rand) {
		for {
			n := atomic.AddInt64(&next, 1)
			if n > int64(*keys) {
				return
			}
			if grantWithKey(c, n) == nil {
				atomic.AddInt64(&granted, 1)
			}
		}
	})
	if *offered == 0 {
		*offered = stormPuts
	}
	lastGrant := time.Now()
	for left(cs[0]) == int64(*keys) && time.Since(lastGrant) < 2*stormTTL {
		time.Sleep(20 * time.Millisecond)
	}
	first := time.Now()
	limit := *dur
	over := make(chan time.Duration, 1)
	go func() {
		for left(cs[0]) > 0 && time.Since(first) < limit {
			time.Sleep(100 * time.Millisecond)
		}
		over <- time.Since(first)
	}()
	put := steps(fmt.Sprintf("%0*d", *valSize, 0))["put"]
	elapsed := openLoop(cs, rec, put)
	rec.report(elapsed, map[string]interface{}{
		"leases": granted, "all_gone_after_s": (<-over).Seconds(), "left": left(cs[0]), "offered": *offered,
	})
}

func grantWithKey(c *clientv3.Client, n int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	lease, err := c.Grant(ctx, int64(stormTTL.Seconds()))
	if err != nil {
		return err
	}
	_, err = c.Put(ctx, fmt.Sprintf("%s%08d", stormPrefix, n), "", clientv3.WithLease(lease.ID))
	return err
}

// left is how many of the leases' keys are there.
func left(c *clientv3.Client) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	found, err := c.Get(ctx, stormPrefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return -1
	}
	return found.Count
}
