package memstore

import (
	"container/heap"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
)

// reclaimPerSave limits how many expired records a save removes. More than one, so that their
// number shrinks even if every save adds a record. Few, so that no save takes long.
const reclaimPerSave = 4

// memory implements driver.Driver. The heap has the same entries as the map, ordered by expiry, so
// that expired entries are at its top.
type memory struct {
	mu      sync.RWMutex
	records map[string]*entry
	expiry  expiryHeap
	max     int
	now     func() time.Time
}

var (
	_ driver.Driver  = (*memory)(nil)
	_ driver.Ranger  = (*memory)(nil)
	_ driver.Sweeper = (*memory)(nil)
)

// entry is a record and its index in the heap. The bytes of Data never change, so they may be read
// without the lock.
type entry struct {
	driver.Record
	index int
}

func (e *entry) live(now time.Time) bool { return e.Expiry.After(now) }

func (m *memory) Load(ctx context.Context, id string) (driver.Record, error) {
	if err := ctx.Err(); err != nil {
		return driver.Record{}, fmt.Errorf("memstore: load: %w", err)
	}
	now := m.now()
	m.mu.RLock()
	e := m.records[id]
	if e == nil || !e.live(now) {
		m.mu.RUnlock()
		return driver.Record{}, driver.ErrNotFound
	}
	rec := e.Record
	m.mu.RUnlock()
	rec.Data = slices.Clone(rec.Data)
	return rec, nil
}

func (m *memory) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: save: %w", err)
	}
	now := m.now()
	rec.Data = slices.Clone(rec.Data)
	rec.Expiry, rec.Created, rec.Updated = wall(rec.Expiry), wall(rec.Created), wall(rec.Updated)

	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.records[rec.ID]
	live := e != nil && e.live(now)
	if cond.Absent() && live {
		return driver.ErrConflict
	}
	if v, ok := cond.Match(); ok {
		if !live {
			return driver.ErrNotFound
		}
		if e.Version != v {
			return driver.ErrConflict
		}
	}
	if live {
		rec.Created = e.Created
	}
	if e != nil {
		rec.ID = e.ID
		e.Record = rec
		heap.Fix(&m.expiry, e.index)
	} else {
		for len(m.records) >= m.max {
			m.remove(m.expiry[0])
		}
		rec.ID = strings.Clone(rec.ID)
		e = &entry{Record: rec}
		m.records[rec.ID] = e
		heap.Push(&m.expiry, e)
	}
	m.reclaim(now, reclaimPerSave)
	return nil
}

func (m *memory) Touch(ctx context.Context, id string, version int64, expiry time.Time) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: touch: %w", err)
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.records[id]
	if e == nil || !e.live(now) {
		return driver.ErrNotFound
	}
	if e.Version != version {
		return driver.ErrConflict
	}
	e.Expiry = wall(expiry)
	heap.Fix(&m.expiry, e.index)
	return nil
}

func (m *memory) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: delete: %w", err)
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.records[id]
	if e == nil {
		return driver.ErrNotFound
	}
	live := e.live(now)
	m.remove(e)
	if !live {
		return driver.ErrNotFound
	}
	return nil
}

// Range iterates over the map itself and copies only the record to yield. It holds the lock while
// the iteration advances, but not while the loop body runs. For the language, that is a loop whose
// body changes the map: this is allowed, and yields every key that stays exactly once.
func (m *memory) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(driver.Record{}, fmt.Errorf("memstore: range: %w", err))
			return
		}
		locked := true
		m.mu.RLock()
		defer func() { // in case the body panics
			if locked {
				m.mu.RUnlock()
			}
		}()
		for _, e := range m.records {
			rec, live := e.Record, e.live(m.now())
			if !live {
				continue
			}
			m.mu.RUnlock()
			locked = false
			if err := ctx.Err(); err != nil {
				yield(driver.Record{}, fmt.Errorf("memstore: range: %w", err))
				return
			}
			rec.Data = slices.Clone(rec.Data)
			if !yield(rec, nil) {
				return
			}
			m.mu.RLock()
			locked = true
		}
	}
}

// Sweep needs no margin for clock differences, because only this process uses the sessions.
func (m *memory) Sweep(ctx context.Context, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("memstore: sweep: %w", err)
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reclaim(now, limit), nil
}

// reclaim removes at most limit expired records and returns how many it removed.
func (m *memory) reclaim(now time.Time, limit int) int {
	n := 0
	for n < limit && len(m.expiry) > 0 && !m.expiry[0].live(now) {
		m.remove(m.expiry[0])
		n++
	}
	return n
}

func (m *memory) remove(e *entry) {
	delete(m.records, e.ID)
	heap.Remove(&m.expiry, e.index)
}

// wall drops the time zone and the monotonic clock reading, as other backends do.
func wall(t time.Time) time.Time { return t.UTC().Round(0) }

// expiryHeap implements heap.Interface.
type expiryHeap []*entry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].Expiry.Before(h[j].Expiry) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *expiryHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
