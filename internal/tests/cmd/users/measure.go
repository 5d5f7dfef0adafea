package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

const (
	perUser = 5

	// batch is how many sessions are filled in between two looks at the clock.
	batch = 2_000
)

// result is the measurement of one backend.
type result struct {
	server    string
	list, end []time.Duration // for each size that was reached
	reached   int
	filling   time.Duration
}

// measure fills a backend and measures at each size.
func (b *backend) measure(
	ctx context.Context, sizes []int, trials int, limit time.Duration, progress io.Writer,
) (result, error) {
	r := result{server: b.name}
	var url string
	var settings []string
	if b.local == "" {
		server, err := testenv.Find(b.kind)
		if err != nil {
			return r, err
		}
		url, r.server = server.URL, server.Version
		if server.Private {
			settings = b.settings
		}
	}
	opened, err := b.open(ctx, url, fmt.Sprintf("users_%x", time.Now().UnixNano()))
	if err != nil {
		return r, err
	}
	defer opened.close()
	for _, statement := range settings {
		if _, err := opened.db.ExecContext(ctx, statement); err != nil {
			return r, err
		}
	}
	store := opened.store
	if err := store.CreateSchema(ctx); err != nil {
		return r, err
	}
	defer func() { _ = store.DropSchema(ctx) }()
	for _, size := range sizes {
		for r.reached < size {
			if r.filling > limit {
				fmt.Fprintf(progress, "%s: %d sessions after %v\n", b.name, r.reached, r.filling)
				return r, nil
			}
			begin, to := time.Now(), min(size, r.reached+batch)
			if err := opened.fill(ctx, r.reached, to); err != nil {
				return r, fmt.Errorf("fill: %w", err)
			}
			r.reached, r.filling = to, r.filling+time.Since(begin)
		}
		list, end, err := measureUser(ctx, store, trials)
		if err != nil {
			return r, err
		}
		r.list, r.end = append(r.list, list), append(r.end, end)
		fmt.Fprintf(progress, "%s: %d sessions, filled in %v: %s, %s\n", b.name, size,
			r.filling.Round(time.Millisecond), millis(list), millis(end))
	}
	return r, nil
}

// measureUser returns the medians of listing and of ending a user's sessions. Each trial has a user
// of its own, since Redis keeps the entries of sessions that have ended for some minutes.
func measureUser(ctx context.Context, store *scskit.Store, trials int,
) (list, end time.Duration, err error) {
	var lists, ends []time.Duration
	for i := -3; i < trials; i++ { // the first ones warm up
		user := fmt.Sprintf("ada-%d-%d", time.Now().UnixNano(), i)
		for range perUser {
			if err := begin(ctx, store, user); err != nil {
				return 0, 0, err
			}
		}
		start, found := time.Now(), 0
		for _, err := range store.SessionsOf(ctx, user) {
			if err != nil {
				return 0, 0, err
			}
			found++
		}
		listed := time.Since(start)
		start = time.Now()
		ended, err := store.DestroySessionsOf(ctx, user)
		if err != nil {
			return 0, 0, err
		}
		if i >= 0 {
			lists, ends = append(lists, listed), append(ends, time.Since(start))
		}
		if found != perUser || ended != perUser {
			return 0, 0, fmt.Errorf("found %d and ended %d sessions of %d", found, ended, perUser)
		}
	}
	return median(lists), median(ends), nil
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// begin signs the user in once more.
func begin(ctx context.Context, store *scskit.Store, user string) error {
	sm := scskit.New(store)
	ctx, err := sm.Load(scskit.WithTracker(ctx), "")
	if err != nil {
		return err
	}
	sm.Put(ctx, "user", user)
	_, _, err = sm.Commit(ctx)
	return err
}

// record returns the session i of the other users, with some 300 bytes of data.
func record(i int) (driver.Record, error) {
	name := fmt.Sprintf("user-%d", i/perUser)
	now := time.Now()
	expiry := now.Add(24 * time.Hour)
	data, err := scskit.Codec{}.Encode(expiry, map[string]any{
		"user": name, "n": i, "notes": strings.Repeat("x", 260),
	})
	return driver.Record{
		ID: hash(fmt.Sprint(i)), User: hash(name), Data: data, Version: int64(i + 1),
		Expiry: expiry, Created: now, Updated: now, Seen: now,
	}, err
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// saves returns a filler that saves one session at a time on each of n connections.
func saves(d driver.Driver, n int) filler {
	return func(ctx context.Context, from, to int) error {
		var next atomic.Int64
		next.Store(int64(from))
		errs := make([]error, n)
		var wg sync.WaitGroup
		for worker := range n {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= to {
						return
					}
					rec, err := record(i)
					if err == nil {
						err = d.Save(ctx, rec, driver.Always())
					}
					if err != nil {
						errs[worker] = err
						return
					}
				}
			})
		}
		wg.Wait()
		return cmp.Or(errs...)
	}
}
