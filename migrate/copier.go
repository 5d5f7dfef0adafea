package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/records"
)

// copier is one call of Copy or Move.
type copier struct {
	from, to records.Access
	opts     Options
	one      func(ctx context.Context, j job, repeated bool) (outcome, error)
	after    func(ctx context.Context) error // nil if there is nothing to do after the pass
	began    time.Time
	now      time.Time   // when it began by the source's clock
	start    state       // as it was loaded, or new
	retry    []string    // of start, sorted
	ask      bool        // load from the target before a save
	had      atomic.Bool // the target had the last record, so that it is asked for the next one
	total    int
	limit    limiter

	mu      sync.Mutex
	state   state
	report  Report
	failed  []string // the hashed ids of what could not be copied, up to one more than maxRetry
	inARow  int      // how many records have failed since the last one that did not
	listing listing
}

// listing is what is known of the order in which the source lists its records. While that is the
// order of ids, the checkpoint has a position.
type listing struct {
	ordered bool
	n       int
	last    string   // the id that was listed last
	pending []*place // what was listed, from the first record that is not done
	skipped bool     // records were skipped for their position
}

// place is a record in the listing.
type place struct {
	id   string
	done bool
}

// enough is how many ids in their order show that the listing has one.
const enough = 64

// errUnordered means that records were skipped for their position, but the listing has no order.
var errUnordered = errors.New("the listing has no order")

func newCopier(from, to *scskit.Store, opts *Options) (*copier, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	source, target, err := accesses(from, to)
	if err != nil {
		return nil, err
	}
	if isPair(from) || isPair(to) {
		return nil, errors.New("a store of migrate.Between cannot be copied: use Pair.Move")
	}
	c := newCopierBetween(source, target, o)
	c.one = c.once
	if o.Prune {
		c.after = c.prune
	}
	return c, nil
}

func newCopierBetween(from, to records.Access, o Options) *copier {
	c := &copier{from: from, to: to, opts: o, began: time.Now(), limit: limiter{rate: o.Rate}}
	c.report.DryRun = o.DryRun
	c.now = c.from.Now()
	c.listing.ordered = true
	return c
}

func (c *copier) run(ctx context.Context) (err error) {
	if err := c.load(ctx); err != nil {
		return err
	}
	if c.opts.Count {
		for _, err := range c.from.Range(ctx) {
			if err != nil {
				return fmt.Errorf("count the source: %w", err)
			}
			c.total++
		}
		c.began = time.Now()
	}
	if err := c.save(ctx, false); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := c.watch(ctx, cancel)
	err = c.pass(ctx)
	if errors.Is(err, errUnordered) { // what was skipped must be looked at
		c.mu.Lock()
		c.report = Report{Resumed: c.report.Resumed, DryRun: c.report.DryRun}
		c.state.Position, c.start.Position = nil, nil
		c.mu.Unlock()
		err = c.pass(ctx)
	}
	if err == nil && c.after != nil {
		err = c.after(ctx)
	}
	stop()
	if saved := c.save(context.WithoutCancel(ctx), err == nil); err == nil {
		err = saved
	}
	if c.opts.Progress != nil {
		c.opts.Progress(c.progress())
	}
	if r := c.result(); err == nil && r.Unreadable+r.Failed > 0 {
		err = &PartialError{Report: r}
	}
	return err
}

// watch saves the checkpoint and reports progress until stop is called. If the checkpoint fails, it
// cancels the copy.
func (c *copier) watch(ctx context.Context, cancel context.CancelCauseFunc) (stop func()) {
	ended := make(chan struct{})
	var wg sync.WaitGroup
	every := func(interval time.Duration, f func()) {
		wg.Go(func() {
			ticker := time.NewTicker(interval)
			defer ticker.Stop()
			for {
				select {
				case <-ended:
					return
				case <-ticker.C:
					f()
				}
			}
		})
	}
	every(time.Second, func() {
		if err := c.save(ctx, false); err != nil {
			cancel(err)
		}
	})
	if c.opts.Progress != nil {
		every(c.opts.ProgressInterval, func() { c.opts.Progress(c.progress()) })
	}
	return func() {
		close(ended)
		wg.Wait()
	}
}

func (c *copier) progress() Progress {
	p := Progress{Report: c.result(), Total: c.total}
	if s := p.Report.Duration.Seconds(); s > 0 {
		p.Rate = float64(p.Report.Done()) / s
	}
	if left := c.total - p.Report.Done(); left > 0 && p.Rate > 0 {
		p.Remaining = time.Duration(float64(left) / p.Rate * float64(time.Second))
	}
	return p
}

// result returns a copy of the report.
func (c *copier) result() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.report
	r.Problems = slices.Clone(r.Problems)
	r.Duration = time.Since(c.began)
	return r
}

// pass lists the source once and copies what must be copied.
func (c *copier) pass(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	c.listing = listing{ordered: true}
	c.mu.Unlock()
	work := func(yield func(job, error) bool) {
		for rec, err := range c.from.Range(ctx) {
			if err != nil {
				yield(job{}, fmt.Errorf("list the source: %w", redact(err, rec.ID)))
				return
			}
			j, skip, err := c.next(rec)
			if err == nil && !skip {
				err = c.limit.wait(ctx)
			}
			if err != nil {
				yield(job{}, err)
				return
			}
			if !skip && !yield(j, nil) {
				return
			}
		}
	}
	return each(ctx, c.opts.Concurrency, work, func(j job) {
		if err := c.finish(ctx, j, c.record(ctx, j)); err != nil {
			cancel(err)
		}
	})
}

// job is a record to copy.
type job struct {
	rec    driver.Record
	place  *place
	create bool // store the record if the target does not have it
}

// next takes a record from the listing. skip says that nothing has to be done for it.
func (c *copier) next(rec driver.Record) (j job, skip bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Listed++
	l := &c.listing
	if rec.ID < l.last {
		l.ordered = false
		if l.skipped {
			return job{}, false, errUnordered
		}
	}
	l.n++
	l.last = rec.ID
	// known says that the target had the record in this state, or one before it.
	var known, byPosition bool
	if c.from.Timed() && !c.mustRetry(rec.ID) {
		byPosition = c.passed(rec)
		known = byPosition || c.older(rec.Updated, c.start.Completed)
	}
	l.skipped = l.skipped || byPosition
	if known && (c.older(rec.Seen, c.start.Completed) ||
		byPosition && c.older(rec.Seen, c.start.Started)) {
		c.report.Skipped++
		return job{}, true, nil
	}
	j = job{rec: rec, create: !known}
	j.place = &place{id: rec.ID}
	l.pending = append(l.pending, j.place)
	return j, false, nil
}

// passed reports whether the copy that is resumed has dealt with the record.
func (c *copier) passed(rec driver.Record) bool {
	return c.listing.ordered && prefix(rec.ID) < string(c.start.Position) &&
		c.older(rec.Updated, c.start.Started)
}

// older reports whether t was certainly before a copy began. A zero time is that of no copy.
func (c *copier) older(t, began time.Time) bool {
	return !began.IsZero() && t.Before(began.Add(-c.opts.Skew))
}

func (c *copier) mustRetry(id string) bool {
	if len(c.retry) == 0 {
		return false
	}
	_, found := slices.BinarySearch(c.retry, c.from.Public(id))
	return found
}

func prefix(id string) string { return id[:min(len(id), prefixBytes)] }

// position returns the prefix of the first id that is not dealt with, or nil if the listing has no
// order. It never goes back.
func (c *copier) position() []byte {
	l := &c.listing
	if !l.ordered || l.n < enough {
		if !l.ordered {
			return nil
		}
		return c.state.Position
	}
	at := l.last
	if len(l.pending) > 0 {
		at = l.pending[0].id
	}
	if p := []byte(prefix(at)); bytes.Compare(p, c.state.Position) > 0 {
		return p
	}
	return c.state.Position
}

// finish counts a record. It returns an error if the copy must end.
func (c *copier) finish(ctx context.Context, j job, o outcome) error {
	if o.err != nil && ctx.Err() != nil {
		return nil // it is not done
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.err == nil {
		c.inARow = 0
	} else {
		id := c.from.Public(j.rec.ID)
		if len(c.failed) <= maxRetry {
			c.failed = append(c.failed, id)
		}
		if len(c.report.Problems) < 100 {
			c.report.Problems = append(c.report.Problems, Problem{ID: id, Err: o.err})
		}
	}
	*c.report.count(o.what)++
	if o.what <= replaced && o.kind == records.Tombstone {
		c.report.Tombstones++
	}
	j.place.done = true
	l := &c.listing
	for len(l.pending) > 0 && l.pending[0].done {
		l.pending = l.pending[1:]
	}
	switch {
	case o.err == nil:
	case c.opts.StopOnError:
		return fmt.Errorf("%s: %w", c.from.Public(j.rec.ID), o.err)
	case o.backend:
		if c.inARow++; c.inARow >= max(20, 2*c.opts.Concurrency) {
			return fmt.Errorf("%d records failed one after the other: %w", c.inARow, o.err)
		}
	}
	return nil
}

// each calls f for everything that the sequence yields, in up to n goroutines. It returns the first
// error of the sequence, or the cause of the end of ctx.
func each[T any](ctx context.Context, n int, seq iter.Seq2[T, error], f func(T)) error {
	work := make(chan T)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for v := range work {
				f(v)
			}
		})
	}
	var failed error
	for v, err := range seq {
		if err != nil {
			failed = err
			break
		}
		select {
		case work <- v:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed
}

// limiter lets rate records pass per second.
type limiter struct {
	rate float64
	next time.Time
}

func (l *limiter) wait(ctx context.Context) error {
	if l.rate <= 0 {
		return ctx.Err()
	}
	now := time.Now()
	if l.next.Before(now.Add(-100 * time.Millisecond)) { // a burst of a tenth of a second at most
		l.next = now.Add(-100 * time.Millisecond)
	}
	l.next = l.next.Add(time.Duration(float64(time.Second) / l.rate))
	if d := l.next.Sub(now); d > 0 {
		return bound.Sleep(ctx, d)
	}
	return ctx.Err()
}
