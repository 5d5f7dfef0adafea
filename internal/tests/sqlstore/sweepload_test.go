package sqlstore

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

var (
	sweepRows = flag.Int("sweeprows", 0,
		"expired sessions in TestSweepBesideReaders, with a tenth as many live ones; "+
			"0 means 3,000 to 10,000, depending on how long a save takes")
	sweepers = flag.Int("sweepers", 2,
		"concurrent sweeps in TestSweepBesideReaders, over two pools that stand for processes")
)

// TestSweepBesideReaders sweeps while other goroutines read, touch and create live sessions. Every
// expired session must be removed exactly once, and no live session may be missing at any time.
// With -v, the test logs how long everything took.
func TestSweepBesideReaders(t *testing.T) {
	if *sweepRows <= 50_000 {
		twoPools(t, sweepBesideReaders)
		return
	}
	// Many rows need servers of their own, with larger buffers and logs.
	t.Run("sqlite", func(t *testing.T) {
		path, c := filepath.Join(t.TempDir(), "test.db"), newClock()
		a := newTestTable(t, openFile(t, path), c)
		sweepBesideReaders(t, a, newTestTable(t, openFile(t, path), c), c)
	})
	for _, server := range []struct {
		kind     testenv.Kind
		driver   string
		dialect  Dialect
		settings []string
	}{
		{testenv.KindPostgres, "pgx", PostgreSQL(), []string{
			"ALTER SYSTEM SET max_wal_size = '4GB'",
			"ALTER SYSTEM SET checkpoint_timeout = '30min'",
			"SELECT pg_reload_conf()",
		}},
		{testenv.KindMySQL, "mysql", MySQL(), []string{
			"SET GLOBAL innodb_log_file_size = 1 << 30",
			"SET GLOBAL innodb_buffer_pool_size = 1 << 30",
		}},
	} {
		t.Run(server.dialect.name, func(t *testing.T) {
			url := testenv.Start(t, server.kind).URL()
			open := func(tb testing.TB) *sql.DB {
				tb.Helper()
				db, err := sql.Open(server.driver, url)
				if err != nil {
					tb.Fatal(err)
				}
				return pool(tb, db)
			}
			c, db := newClock(), open(t)
			execAll(t, db, server.settings...)
			a := newServerTable(t, db, server.dialect, testenv.Name(t), c)
			sweepBesideReaders(t, a, another(t, a, open), c)
		})
	}
}

func sweepBesideReaders(t *testing.T, a, b *table, c *clock) {
	expired := rowsFor(t, a, c)
	live := expired / 10
	id := func(i int) string { return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i)))[:43] }
	liveID := func(i int) string { return id(i%live*11 + 10) }
	now := c.now().UnixMicro()
	begin := time.Now()
	bulk(t, a, expired+live, func(i int, v *values) {
		v.id, v.data = []byte(id(i)), make([]byte, 300)
		v.expiry = now - rand.Int64N(3600e6)
		if i%11 == 10 {
			v.expiry = now + 3600e6 + rand.Int64N(3600e6)
		}
	})
	t.Logf("inserted %d rows in %v", expired+live, time.Since(begin).Round(time.Millisecond))

	others := &traffic{t: t, table: a, c: c, liveID: liveID}
	var before, during timings
	others.run(&before, func() { before.wait(t, max(200, live/10)) })

	peak := watchHeap()
	var removed atomic.Int64
	var took time.Duration
	others.run(&during, func() {
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range *sweepers {
			d := []*table{b, a}[i%2]
			wg.Go(func() {
				// No timeout: on a busy disk, a batch may take long.
				store, err := scskit.NewStore(d, &scskit.Options{Timeout: -1})
				if err != nil {
					t.Error(err)
					return
				}
				for n := 1; n > 0; { // a sweep ends early if another one has locked rows
					if n, err = store.Sweep(background); err != nil {
						t.Error(err)
						return
					}
					removed.Add(int64(n))
				}
			})
		}
		wg.Wait()
		took = time.Since(begin)
	})
	base, most := peak()

	if removed.Load() != int64(expired) {
		t.Errorf("swept %d, want %d", removed.Load(), expired)
	}
	left := make(map[string]bool, live)
	for rec, err := range b.Range(background) {
		if err != nil {
			t.Fatal(err)
		}
		left[rec.ID] = true
	}
	for i := range live {
		if !left[liveID(i)] {
			t.Fatalf("live session %d of %d is gone", i, live)
		}
	}
	rows := countRows(t, a)
	if want := live + int(others.created.Load()); rows != want || len(left) != want {
		t.Errorf("%d rows and %d sessions are left, want %d", rows, len(left), want)
	}
	t.Logf("removed %d in %v with %d sweepers: %.0f per second; heap %.1f MB before, %.1f MB at "+
		"most; each live session was read %.1f times during the sweep",
		expired, took.Round(time.Millisecond), *sweepers, float64(expired)/took.Seconds(), base, most,
		float64(during.reads.count())/float64(live))
	t.Logf("reads:  before %v\n        during %v", &before.reads, &during.reads)
	t.Logf("writes: before %v\n        during %v", &before.writes, &during.writes)
}

// rowsFor returns the number of expired sessions for a test: as many as are saved in about ten
// seconds, but enough for several batches of a sweep.
func rowsFor(t *testing.T, s *table, c *clock) int {
	t.Helper()
	if *sweepRows > 0 {
		return *sweepRows
	}
	var took []time.Duration
	for range 9 {
		begin := time.Now()
		save(t, s, record(c, "pace", 1, time.Hour))
		took = append(took, time.Since(begin))
	}
	want(t, "delete", s.Delete(background, "pace", driver.Always()), nil)
	slices.Sort(took)
	return min(max(int(10*time.Second/max(took[len(took)/2], 1)), 3000), 10_000)
}

// traffic is the load of an application: four goroutines read one live session after the other, and
// two write, each at most a thousand times per second.
type traffic struct {
	t       *testing.T
	table   *table
	c       *clock
	liveID  func(i int) string
	next    atomic.Int64
	created atomic.Int64
}

// timings are the latencies of the operations of a traffic.
type timings struct{ reads, writes latencies }

// wait waits for n reads.
func (l *timings) wait(tb testing.TB, n int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for l.reads.count() < int64(n) && !tb.Failed() {
		<-tick.C
	}
}

// run produces load until the function until returns.
func (tr *traffic) run(l *timings, until func()) {
	read := func() error {
		_, err := tr.table.Load(background, tr.liveID(int(tr.next.Add(1))))
		return err
	}
	touch := func() error {
		err := tr.table.Touch(background,
			touchTo(tr.liveID(int(rand.Uint32())), 1, tr.c.now().Add(3*time.Hour+rand.N(time.Hour))))
		if errors.Is(err, driver.ErrConflict) {
			return fmt.Errorf("touch of a live session: %w", err)
		}
		return err
	}
	create := func() error {
		tr.created.Add(1)
		rec := record(tr.c, fmt.Sprint("new", rand.Int64()), 1, time.Hour)
		return tr.table.Save(background, rec, driver.IfAbsent())
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	work := func(what *latencies, f func() error) {
		wg.Go(func() {
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()
			for !done.Load() {
				begin := time.Now()
				err := f()
				what.add(time.Since(begin))
				if err != nil {
					tr.t.Error(err)
					return
				}
				<-pace.C
			}
		})
	}
	for range 4 {
		work(&l.reads, read)
	}
	work(&l.writes, touch)
	work(&l.writes, create)
	until()
	done.Store(true)
	wg.Wait()
}

// latencies is a histogram with a precision of 1/16 and a constant size.
type latencies struct {
	buckets [64 * 16]atomic.Int64
	longest atomic.Int64
}

func (l *latencies) add(d time.Duration) {
	n := uint64(max(d, 16))
	shift := bits.Len64(n) - 5
	l.buckets[shift*16+int(n>>shift)-16].Add(1)
	for {
		old := l.longest.Load()
		if int64(d) <= old || l.longest.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

func (l *latencies) count() (n int64) {
	for i := range l.buckets {
		n += l.buckets[i].Load()
	}
	return n
}

// at returns the latency that perMille of a thousand calls did not exceed.
func (l *latencies) at(perMille int64) time.Duration {
	want := (l.count()*perMille + 999) / 1000
	for i := range l.buckets {
		if want -= l.buckets[i].Load(); want <= 0 {
			return time.Duration(i%16+17) << (i / 16)
		}
	}
	return 0
}

func (l *latencies) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d, median %v, 99 %% %v, longest %v", l.count(), round(l.at(500)),
		round(l.at(990)), round(time.Duration(l.longest.Load())))
}

// watchHeap measures the heap of this process, including garbage, until stop is called. stop
// returns the first and the largest size in MB.
func watchHeap() (stop func() (base, most float64)) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heap := func() float64 {
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64()) / 1e6
	}
	runtime.GC()
	base := heap()
	most := base
	var stopped atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for !stopped.Load() {
			most = max(most, heap())
			<-tick.C
		}
	})
	return func() (float64, float64) {
		stopped.Store(true)
		wg.Wait()
		return base, most
	}
}
