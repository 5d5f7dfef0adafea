package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// fill stores n sessions of the given size with pipelines.
func fill(t testing.TB, s *sessions, n, size int) {
	t.Helper()
	pipe := s.client.Pipeline()
	for i := range n {
		if i%5000 == 4999 {
			if _, err := pipe.Exec(background); err != nil {
				t.Fatal(err)
			}
		}
		rec := record(fmt.Sprint("id", i), int64(i+1), time.Hour)
		rec.Data = make([]byte, size)
		pipe.Do(background, "set", s.prefix+rec.ID, encode(rec), "pxat", rec.Expiry.UnixMilli())
	}
	if _, err := pipe.Exec(background); err != nil {
		t.Fatal(err)
	}
}

// ids returns how often each id is yielded.
func ids(t testing.TB, s *sessions) map[string]int {
	t.Helper()
	seen := make(map[string]int)
	for rec, err := range s.Range(background) {
		if err != nil {
			t.Fatal(err)
		}
		seen[rec.ID]++
	}
	return seen
}

func TestRangeMany(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		const n = 2500
		fill(t, s, n, 75)
		if _, ok := s.client.(*redis.ClusterClient); ok {
			masters, err := s.masters(background)
			if err != nil || len(masters) != 3 {
				t.Fatalf("got %d masters, %v, want 3", len(masters), err)
			}
			for _, m := range masters {
				keys, _, err := m.Scan(background, 0, escapeGlob(s.prefix)+"*", 1<<20).Result()
				if err != nil || len(keys) < n/6 {
					t.Errorf("got %d keys on %v, %v, want at least %d", len(keys), m, err, n/6)
				}
			}
		}
		if seen := ids(t, s); len(seen) != n {
			t.Errorf("got %d sessions, want %d", len(seen), n)
		}
	})
}

// Each store lists only its own sessions, even if another store's prefix matches its keys as a
// glob.
func TestRangePrefixes(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		name := testenv.Name(t)
		prefixes := []string{
			name + "*", name + "?", name + "[ab]", name + "[^x]",
			name + `\*`, name + `\`, name + `a*[b]?\:`, name + "a", name + "b*",
			name + "\x00", name + "\xff\xfe", name + "\r\n", name + "{", name + "{}", name + "é",
			"*" + name, "[" + name, "{" + name + "}",
		}
		var stores []*sessions
		for i, p := range prefixes {
			other := newSessions(t, s.client, p+"|")
			save(t, other, record(fmt.Sprint(i), 1, time.Hour))
			save(t, other, record("*", 1, time.Hour))
			stores = append(stores, other)
		}
		for i, other := range stores {
			if seen := ids(t, other); len(seen) != 2 || seen[fmt.Sprint(i)] == 0 || seen["*"] == 0 {
				t.Errorf("prefix %q: got %v, want its own two sessions", other.prefix, seen)
			}
		}
	})
}

// Range yields every session that exists the whole time, while others are deleted and created.
func TestRangeWhileKeysChange(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		const n = 1200
		fill(t, s, n, 75)
		turn := 0
		seen := make(map[string]bool)
		for rec, err := range s.Range(background) {
			if err != nil {
				t.Fatal(err)
			}
			seen[rec.ID] = true
			var i int
			if _, err := fmt.Sscanf(rec.ID, "id%d", &i); err != nil {
				continue // one of the new sessions
			}
			if i%2 == 1 {
				err := s.Delete(background, fmt.Sprint("id", (i+2*turn)%n), driver.Always())
				if err != nil && !errors.Is(err, driver.ErrNotFound) {
					t.Error(err)
				}
			} else if turn%3 == 0 {
				save(t, s, record(fmt.Sprint("new", turn), 1, time.Hour))
			}
			turn++
		}
		for i := 0; i < n; i += 2 {
			if id := fmt.Sprint("id", i); !seen[id] {
				t.Errorf("range does not yield %s", id)
			}
		}
	})
}

// Range reads few large sessions at a time.
func TestRangeOfLargeSessions(t *testing.T) {
	t.Parallel()
	var pipelined pipelines
	c := redis.NewClient(&redis.Options{Addr: testenv.Redis(t)})
	t.Cleanup(func() { _ = c.Close() })
	c.AddHook(&pipelined)
	s := newSessions(t, c, testenv.Name(t)+":")
	fill(t, s, 60, 600<<10)
	pipelined.sizes = nil
	if seen := ids(t, s); len(seen) != 60 {
		t.Errorf("got %d sessions, want 60", len(seen))
	}
	// With many other keys, the first scan may find fewer than eight sessions.
	for i, n := range pipelined.sizes {
		if n > 8 || i > 0 && n > 1 {
			t.Fatalf("got pages of %d values, want at most 8, then 1", pipelined.sizes)
		}
	}
}

// pipelines is a hook that records the sizes of the client's pipelines.
type pipelines struct{ sizes []int }

func (*pipelines) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*pipelines) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (p *pipelines) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		p.sizes = append(p.sizes, len(cmds))
		return next(ctx, cmds)
	}
}

func TestRangeBreak(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		fill(t, s, 50, 75)
		for range s.Range(background) {
			break
		}
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		n := 0
		for _, err := range s.Range(ctx) {
			if n++; n == 1 {
				cancel()
				continue
			}
			want(t, "range", err, context.Canceled)
			if err != nil && err.Error() != "redisstore: range: context canceled" {
				t.Errorf("got error %q", err)
			}
		}
		if n != 2 {
			t.Errorf("got %d iterations, want 2", n)
		}
	})
}

// Range fails with a wrapper that hides the client's servers. It does not list only a part.
func TestRangeThroughAWrapper(t *testing.T) {
	t.Parallel()
	name := testenv.Name(t)
	for client, ok := range map[redis.UniversalClient]bool{
		wrapped{singleClient(t)}:                  false,
		wrappedCluster{clusterClient(t)}:          true,
		&wrappedClient{Client: singleClient(t)}:   true,
		wrapped{wrappedCluster{clusterClient(t)}}: false,
	} {
		s := newSessions(t, client, fmt.Sprintf("%s%T:", name, client))
		save(t, s, record("a", 1, time.Hour))
		load(t, s, "a")
		const text = "redisstore: range: a redisstore.wrapped does not list its servers: "
		var got error
		n := 0
		for _, err := range s.Range(background) {
			got = err
			n++
		}
		switch {
		case n != 1:
			t.Errorf("%T: got %d iterations, want 1", client, n)
		case ok && got != nil:
			t.Errorf("%T: got error %v, want nil", client, got)
		case !ok && (!errors.Is(got, errors.ErrUnsupported) ||
			!strings.HasPrefix(got.Error(), text)):
			t.Errorf("%T: got error %v, want %s…", client, got, text)
		}
	}
}

type wrappedCluster struct{ *redis.ClusterClient }

type wrappedClient struct{ *redis.Client }
