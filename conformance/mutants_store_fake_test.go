package conformance

import (
	"context"
	"slices"
	"sync"
	"time"
)

// mapStore is a correct store in a map.
type mapStore struct {
	mu       sync.Mutex
	sessions map[string]mapEntry
}

type mapEntry struct {
	data   []byte
	expiry time.Time
}

func (b mapEntry) live() bool { return b.expiry.After(time.Now()) }

// peek returns the stored session, expired or not, without copying it.
func (s *mapStore) peek(token string) (mapEntry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.sessions[token]
	return b, ok
}

// put stores data without copying it.
func (s *mapStore) put(token string, data []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[token] = mapEntry{data, expiry}
	return nil
}

func (s *mapStore) find(token string) ([]byte, bool, error) {
	b, ok := s.peek(token)
	if !ok || !b.live() {
		return nil, false, nil
	}
	return slices.Clone(b.data), true, nil
}

func (s *mapStore) commit(token string, data []byte, expiry time.Time) error {
	return s.put(token, slices.Clone(data), expiry)
}

func (s *mapStore) delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, token)
	return nil
}

func (s *mapStore) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
	return nil
}

func (s *mapStore) all() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]byte)
	for token, b := range s.sessions {
		if b.live() {
			all[token] = slices.Clone(b.data)
		}
	}
	return all, nil
}

// fakeStore is a mapStore whose methods a mutant can replace.
type fakeStore struct {
	*mapStore
	find   func(token string) ([]byte, bool, error)
	commit func(token string, data []byte, expiry time.Time) error
	delete func(token string) error
	all    func() (map[string][]byte, error)
	plain  func() // called by the methods without a context
}

func newFakeStore(s *mapStore, change func(*fakeStore)) *fakeStore {
	l := &fakeStore{mapStore: s, find: s.find, commit: s.commit, delete: s.delete, all: s.all,
		plain: func() {}}
	change(l)
	return l
}

// keyed makes the store use a function of the tokens as keys.
func (l *fakeStore) keyed(key func(string) string) {
	l.find = func(token string) ([]byte, bool, error) { return l.mapStore.find(key(token)) }
	l.commit = func(token string, data []byte, e time.Time) error {
		return l.mapStore.commit(key(token), data, e)
	}
	l.delete = func(token string) error { return l.mapStore.delete(key(token)) }
}

// expiring makes the store change the expiries that it gets.
func (l *fakeStore) expiring(change func(token string, expiry time.Time) time.Time) {
	l.commit = func(token string, data []byte, e time.Time) error {
		return l.mapStore.commit(token, data, change(token, e))
	}
}

func (l *fakeStore) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	return l.find(token)
}

func (l *fakeStore) DeleteCtx(_ context.Context, token string) error { return l.delete(token) }

func (l *fakeStore) AllCtx(context.Context) (map[string][]byte, error) { return l.all() }

func (l *fakeStore) CommitCtx(_ context.Context, token string, data []byte, e time.Time) error {
	return l.commit(token, data, e)
}

func (l *fakeStore) Find(token string) ([]byte, bool, error) { l.plain(); return l.find(token) }

func (l *fakeStore) Delete(token string) error { l.plain(); return l.delete(token) }

func (l *fakeStore) All() (map[string][]byte, error) { l.plain(); return l.all() }

func (l *fakeStore) Commit(token string, data []byte, e time.Time) error {
	l.plain()
	return l.commit(token, data, e)
}

func newMapStore() *mapStore { return &mapStore{sessions: make(map[string]mapEntry)} }

// stored makes the store change the data that it gets.
func (l *fakeStore) stored(change func([]byte) []byte) {
	l.commit = func(token string, data []byte, e time.Time) error {
		return l.mapStore.commit(token, change(data), e)
	}
}
