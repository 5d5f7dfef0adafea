package memstore

import (
	"container/heap"
	"context"
	"errors"
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

// memory implements driver.Driver. The two heaps together have the same entries as records, ordered
// by expiry, so that expired entries are at their tops.
type memory struct {
	mu        sync.RWMutex
	records   map[string]*entry
	users     map[string]map[*entry]struct{} // the entries of each user
	anonymous expiryHeap                     // the entries without a user
	owned     expiryHeap                     // the entries of users
	max       int
	now       func() time.Time
}

var (
	_ driver.Driver    = (*memory)(nil)
	_ driver.Ranger    = (*memory)(nil)
	_ driver.UserIndex = (*memory)(nil)
	_ driver.Sweeper   = (*memory)(nil)
)

// entry is a record and its index in its heap. The bytes of Data never change, so they may be read
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
	spared := rec.Replaces
	rec.Replaces = ""
	rec.Data = slices.Clone(rec.Data)
	rec.Expiry, rec.Created = wall(rec.Expiry), wall(rec.Created)
	rec.Updated, rec.Seen = wall(rec.Updated), wall(rec.Seen)

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
	switch {
	case e != nil && e.User == rec.User:
		rec.ID, rec.User = e.ID, e.User
		e.Record = rec
		heap.Fix(m.heapOf(e), e.index)
	case e != nil:
		m.remove(e)
		m.insert(rec)
	default:
		for len(m.records) >= m.max {
			m.remove(m.victim(now, spared))
		}
		m.insert(rec)
	}
	m.reclaim(now, reclaimPerSave)
	return nil
}

func (m *memory) Touch(ctx context.Context, rec driver.Record) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: touch: %w", err)
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.records[rec.ID]
	if e == nil || !e.live(now) {
		return driver.ErrNotFound
	}
	if e.Version != rec.Version {
		return driver.ErrConflict
	}
	e.Expiry, e.Seen = wall(rec.Expiry), wall(rec.Seen)
	heap.Fix(m.heapOf(e), e.index)
	return nil
}

func (m *memory) Delete(ctx context.Context, id string, cond driver.Condition) error {
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
	if v, ok := cond.Match(); ok && live && e.Version != v {
		return driver.ErrConflict
	}
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

// RangeUser yields the records that the user has when it begins and that are still the user's when
// it comes to them.
func (m *memory) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		m.mu.RLock()
		ids := make([]string, 0, len(m.users[user]))
		for e := range m.users[user] {
			ids = append(ids, e.ID)
		}
		m.mu.RUnlock()
		if err := ctx.Err(); err != nil {
			yield(driver.Record{}, fmt.Errorf("memstore: range user: %w", err))
			return
		}
		for _, id := range ids {
			rec, err := m.Load(ctx, id)
			if errors.Is(err, driver.ErrNotFound) || err == nil && rec.User != user {
				continue
			}
			if !yield(rec, err) || err != nil {
				return
			}
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
	for _, h := range []*expiryHeap{&m.anonymous, &m.owned} {
		for n < limit && len(*h) > 0 && !(*h)[0].live(now) {
			m.remove((*h)[0])
			n++
		}
	}
	return n
}

// victim returns the entry to evict when the store is full: an expired one if there is one, or else
// the one closest to expiry. An entry without a user goes before any that has one, so that a flood
// of anonymous clients does not sign users out. The entry with the id that is spared goes only if
// it is alone.
func (m *memory) victim(now time.Time, spared string) *entry {
	if len(m.owned) > 0 && !m.owned[0].live(now) {
		return m.owned[0]
	}
	for _, h := range []expiryHeap{m.anonymous, m.owned} {
		if e := h.first(spared); e != nil {
			return e
		}
	}
	return m.records[spared]
}

// heapOf returns the heap that has the entry.
func (m *memory) heapOf(e *entry) *expiryHeap {
	if e.User == "" {
		return &m.anonymous
	}
	return &m.owned
}

// insert adds an entry for rec, and keeps none of its strings.
func (m *memory) insert(rec driver.Record) {
	rec.ID = strings.Clone(rec.ID)
	e := &entry{Record: rec}
	if rec.User != "" {
		entries := m.users[rec.User]
		if entries == nil {
			entries = make(map[*entry]struct{}, 1)
			m.users[strings.Clone(rec.User)] = entries
		}
		e.User = strings.Clone(rec.User)
		entries[e] = struct{}{}
	}
	m.records[e.ID] = e
	heap.Push(m.heapOf(e), e)
}

func (m *memory) remove(e *entry) {
	delete(m.records, e.ID)
	heap.Remove(m.heapOf(e), e.index)
	if e.User != "" {
		delete(m.users[e.User], e)
		if len(m.users[e.User]) == 0 {
			delete(m.users, e.User)
		}
	}
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

// first returns the entry that expires first but for the one that is spared, or nil.
func (h expiryHeap) first(spared string) *entry {
	if len(h) == 0 || h[0].ID != spared {
		return h.at(0)
	}
	left, right := h.at(1), h.at(2)
	if left != nil && right != nil && h.Less(right.index, left.index) {
		return right
	}
	return left
}

func (h expiryHeap) at(i int) *entry {
	if i >= len(h) {
		return nil
	}
	return h[i]
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
