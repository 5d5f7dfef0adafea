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
	// scanCount is how many keys a server examines per SCAN, which takes about 0.3 ms of its time.
	// With a smaller count, a database with many other keys would need more round trips.
	scanCount = 1000

	// firstPage is the number of values in the first page, when their size is unknown.
	firstPage = 8

	// A later page has as many values as fit into pageBytes, assuming the size of the largest value in
	// the page before. It has at most pageRecords values.
	pageRecords = 250
	pageBytes   = 1 << 20
)

// Range scans one master after the other, and reads the values a page at a time. Like SCAN it may
// yield a record more than once. While a Cluster moves slots, Range misses a record that moves to a
// master that it has already scanned.
func (s *sessions) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		more := func(rec driver.Record) bool { return yield(rec, nil) }
		if err := s.each(ctx, more); err != nil {
			yield(driver.Record{}, s.failure(ctx, "range", "", err))
		}
	}
}

// each calls yield with every record until yield returns false.
func (s *sessions) each(ctx context.Context, yield func(driver.Record) bool) error {
	masters, err := s.masters(ctx)
	if err != nil {
		return err
	}
	pattern := escapeGlob(s.prefix) + "*"
	size := firstPage
	for _, master := range masters {
		for cursor := uint64(0); ; {
			var keys []string
			err := s.await(ctx, func(ctx context.Context) (err error) {
				keys, cursor, err = master.ScanType(ctx, cursor, pattern, scanCount, "string").Result()
				return err
			})
			if err != nil {
				return err
			}
			if more, err := s.values(ctx, keys, &size, yield); err != nil || !more {
				return err
			}
			if cursor == 0 {
				break
			}
		}
	}
	return nil
}

// masters returns a client for each server that holds sessions.
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
		return nil, fmt.Errorf("a %T does not list its servers: use a *redis.Client, "+
			"*redis.ClusterClient or *redis.Ring: %w", s.client, errors.ErrUnsupported)
	}
	err = s.await(ctx, func(ctx context.Context) error { return forEach(ctx, add) })
	mu.Lock()
	defer mu.Unlock()
	return masters, err
}

// values reads the records under keys and calls yield with each of them. It reads *size keys at a
// time. more is false if yield returned false.
func (s *sessions) values(
	ctx context.Context, keys []string, size *int, yield func(driver.Record) bool,
) (more bool, err error) {
	for len(keys) > 0 {
		cmds, err := s.page(ctx, keys, size)
		if err != nil {
			return false, err
		}
		for i, cmd := range cmds {
			id, ok := s.id(keys[i])
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
		keys = keys[len(cmds):]
	}
	return true, nil
}

// page reads the values under the first *size keys, or under all keys if they are fewer. It adjusts
// *size to the size of the values.
func (s *sessions) page(
	ctx context.Context, keys []string, size *int,
) ([]*redis.StringCmd, error) {
	keys = keys[:min(*size, len(keys))]
	gets, cmds := make([]*redis.StringCmd, len(keys)), make([]redis.Cmder, len(keys))
	for i, key := range keys {
		gets[i] = redis.NewStringCmd(ctx, "get", key)
		cmds[i] = gets[i]
	}
	// Use the whole client, not a scanned master: a key may have moved since the scan.
	if err := s.exec(ctx, cmds...); err != nil {
		return nil, err
	}
	largest := 1
	for _, get := range gets {
		if err := get.Err(); err != nil && !isNoValue(err) {
			return nil, err
		}
		largest = max(largest, len(get.Val()))
	}
	*size = min(max(pageBytes/largest, 1), pageRecords)
	return gets, nil
}

// escapeGlob returns a glob pattern that matches only s.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
