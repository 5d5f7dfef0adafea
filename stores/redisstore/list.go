package redisstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
)

const (
	// scanCount is how many keys a server looks at for one SCAN, some 0.3 ms of its time. In a
	// database with many other keys, fewer would make more round trips of it.
	scanCount = 1000

	// As many values as fit pageBytes, if they are as large as those before, but pageRecords at
	// most, are asked for at a time.
	pageRecords = 250
	pageBytes   = 1 << 20
)

// Range goes through the masters one by one with SCAN, and reads the values a page at a time. It
// may yield a record more than once, as SCAN does. On a Cluster whose slots are being moved,
// records that move from a master that is still to come to one that is done are not seen.
func (s *sessions) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		more := func(rec driver.Record) bool { return yield(rec, nil) }
		if err := s.each(ctx, more); err != nil {
			yield(driver.Record{}, s.failure(ctx, "range", "", err))
		}
	}
}

// each calls yield with every record until it returns false.
func (s *sessions) each(ctx context.Context, yield func(driver.Record) bool) error {
	masters, err := s.masters(ctx)
	if err != nil {
		return err
	}
	pattern := escapeGlob(s.prefix) + "*"
	page := page{room: 8}
	for _, master := range masters {
		for cursor := uint64(0); ; {
			var keys []string
			err := s.await(ctx, func() (err error) {
				keys, cursor, err = master.ScanType(ctx, cursor, pattern, scanCount, "string").Result()
				return err
			})
			if err != nil {
				return err
			}
			if more, err := s.values(ctx, &page, keys, yield); err != nil || !more {
				return err
			}
			if cursor == 0 {
				break
			}
		}
	}
	return nil
}

// masters returns a client for each server that has sessions.
func (s *sessions) masters(ctx context.Context) (masters []redis.Cmdable, err error) {
	var mu sync.Mutex
	add := func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		masters = append(masters, c)
		return nil
	}
	var forEach func(context.Context, func(context.Context, *redis.Client) error) error
	switch c := s.client.(type) {
	case interface {
		ForEachMaster(context.Context, func(context.Context, *redis.Client) error) error
	}:
		forEach = c.ForEachMaster
	case interface {
		Options() *redis.RingOptions
		ForEachShard(context.Context, func(context.Context, *redis.Client) error) error
	}:
		forEach = c.ForEachShard
	case interface{ Options() *redis.Options }:
		return []redis.Cmdable{s.client}, nil
	default:
		return nil, fmt.Errorf("a %T does not tell which servers there are: %w", s.client,
			errors.ErrUnsupported)
	}
	err = s.await(ctx, func() error { return forEach(ctx, add) })
	mu.Lock()
	defer mu.Unlock()
	return masters, err
}

// page is how many values to ask for at a time.
type page struct{ room int }

// values reads the records under keys and calls yield with each; more is false if that returned
// false.
func (s *sessions) values(ctx context.Context, p *page, keys []string,
	yield func(driver.Record) bool) (more bool, err error) {
	for len(keys) > 0 {
		n := min(p.room, len(keys))
		cmds := make([]*redis.StringCmd, n)
		// The client routes the commands: a key may have moved since the scan.
		pipe := s.client.Pipeline()
		for i, key := range keys[:n] {
			cmds[i] = pipe.Get(ctx, key)
		}
		err := s.await(ctx, func() error {
			_, _ = pipe.Exec(ctx) // each command has its own error
			return nil
		})
		if err != nil {
			return false, err
		}
		largest := 1
		for i, cmd := range cmds {
			if err := cmd.Err(); err != nil && !isNoValue(err) {
				return false, err
			}
			largest = max(largest, len(cmd.Val()))
			id, ok := strings.CutPrefix(keys[i], s.prefix)
			if !ok {
				continue
			}
			rec, ok := s.record(id, cmd)
			if !ok {
				continue
			}
			if err := ctx.Err(); err != nil {
				return false, err
			}
			if !yield(rec) {
				return false, nil
			}
		}
		p.room = min(max(pageBytes/largest, 1), pageRecords)
		keys = keys[n:]
	}
	return true, nil
}

// escapeGlob returns a pattern that matches s and nothing else.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
