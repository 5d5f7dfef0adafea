package sqlstore

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

var sweepRows = flag.Int("sweeprows", 10_000, "expired sessions in TestSweepBesideReaders, with a tenth as many live ones")

// bulk inserts n rows, many at a time.
func bulk(tb testing.TB, s *table, n int, row func(i int, v *values)) {
	tb.Helper()
	const most, mostBytes = 500, 1 << 20
	tx, err := s.db.Begin()
	if err != nil {
		tb.Fatal(err)
	}
	defer tx.Rollback()
	for i := 0; i < n; {
		var text strings.Builder
		var args []any
		for end, size := min(n, i+most), 0; i < end && size < mostBytes; i++ {
			v := values{version: 1}
			row(i, &v)
			size += len(v.data)
			text.WriteString(", (")
			for column, arg := range []any{v.id, v.version, v.expiry, v.created, v.updated, v.data} {
				args = append(args, arg)
				text.WriteString([]string{"", ", "}[min(column, 1)] + s.dialect.placeholder(len(args)))
			}
			text.WriteString(")")
		}
		_, err := tx.Exec("INSERT INTO "+s.dialect.quoteName(s.name)+" (id, version, expiry, created, updated, data) VALUES "+text.String()[2:], args...)
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// twoPools runs a test with two pools on one table, as two processes have them.
func twoPools(t *testing.T, test func(t *testing.T, a, b *table, c *clock)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path, c := filepath.Join(t.TempDir(), "test.db"), newClock()
		a := newTestTable(t, openFile(t, path), c)
		test(t, a, newTestTable(t, openFile(t, path), c), c)
	})
	for _, p := range servers {
		if p.ownDatabase {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			a := newServerTable(t, p.open(t), p.dialect, testenv.Name(t), c)
			test(t, a, another(t, a, p.open), c)
		})
	}
}

// A session that is renewed while a sweep goes on survives it.
func TestSweepRacesRenewal(t *testing.T) {
	twoPools(t, func(t *testing.T, a, b *table, c *clock) {
		const n = 100
		for i := range n {
			save(t, a, record(c, fmt.Sprint(i), 1, time.Minute))
		}
		c.advance(time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() {
			for range n {
				if _, err := b.Sweep(background, 3); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for i := range n {
				if err := a.Save(background, record(c, fmt.Sprint(i), 2, time.Minute), driver.IfAbsent()); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		for i := range n {
			if got := load(t, a, fmt.Sprint(i)); got.Version != 2 {
				t.Errorf("%d: version %d", i, got.Version)
			}
		}
	})
}

// latencies are how long the calls of one kind took.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) time(f func()) {
	begin := time.Now()
	f()
	took := time.Since(begin)
	l.mu.Lock()
	l.all = append(l.all, took)
	l.mu.Unlock()
}

func (l *latencies) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return "none"
	}
	slices.Sort(l.all)
	at := func(percent int) time.Duration { return l.all[(len(l.all)-1)*percent/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d, median %v, 99 %% %v, longest %v", len(l.all), at(50), at(99), at(100))
}

// Two sweeps remove every expired session, each once, while others read, save and touch
// live ones, of which none is lost. With -v it says how long everything took.
func TestSweepBesideReaders(t *testing.T) {
	twoPools(t, func(t *testing.T, a, b *table, c *clock) {
		expired, live := *sweepRows, *sweepRows/10
		id := func(i int) string { return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i)))[:43] }
		now := c.now().UnixMicro()
		begin := time.Now()
		bulk(t, a, expired+live, func(i int, v *values) {
			v.id, v.data = []byte(id(i)), make([]byte, 300)
			v.expiry = now - rand.Int64N(3600e6)
			if i%11 == 10 {
				v.expiry = now + 3600e6 + rand.Int64N(3600e6)
			}
		})
		t.Logf("made %d rows in %v", expired+live, time.Since(begin).Round(time.Millisecond))

		var reads, touches, saves, sweeps latencies
		work := func(what *latencies, f func() error) func() {
			return func() {
				what.time(func() {
					if err := f(); err != nil && !errors.Is(err, driver.ErrConflict) {
						t.Error(err)
					}
				})
			}
		}
		anyLive := func() string { return id(rand.IntN(live)*11 + 10) }
		read := func() error { _, err := a.Load(background, anyLive()); return err }
		touch := func() error {
			return a.Touch(background, anyLive(), 1, c.now().Add(3*time.Hour+rand.N(time.Hour)))
		}
		create := func() error {
			return a.Save(background, record(c, fmt.Sprint("new", rand.Int64()), 1, time.Minute+rand.N(time.Minute)), driver.Always())
		}

		var alone latencies
		for range 200 {
			work(&alone, read)()
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var removed, created atomic.Int64
		var done atomic.Bool
		var others, sweepers sync.WaitGroup
		for _, f := range []func(){work(&reads, read), work(&reads, read), work(&touches, touch), func() { work(&saves, create)(); created.Add(1) }} {
			others.Go(func() {
				for !done.Load() {
					f()
				}
			})
		}
		begin = time.Now()
		for _, s := range []*table{a, b} {
			sweepers.Go(func() {
				for n := 1; n > 0; { // another's rows may be locked, and make a batch short
					work(&sweeps, func() (err error) { n, err = s.Sweep(background, 1000); return err })()
					removed.Add(int64(n))
				}
			})
		}
		sweepers.Wait()
		took := time.Since(begin)
		done.Store(true)
		others.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)

		if n, err := a.Sweep(background, 1000); n != 0 || err != nil {
			t.Errorf("%d were left, %v", n, err)
		}
		if removed.Load() != int64(expired) {
			t.Errorf("swept %d, want %d", removed.Load(), expired)
		}
		var left int64
		if err := a.db.QueryRow("SELECT COUNT(*) FROM " + a.dialect.quoteName(a.name)).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if want := int64(live) + created.Load(); left != want {
			t.Errorf("%d rows are left, want %d", left, want)
		}
		t.Logf("swept %d in %v, heap %d KB more\nsweeps:      %v\nreads:       %v\nreads alone: %v\ntouches:     %v\nsaves:       %v", expired,
			took.Round(time.Millisecond), (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10, &sweeps, &reads, &alone, &touches, &saves)
	})
}
