package conformance

import (
	"context"
	"slices"
	"sync"
	"time"
)

// shelf is a correct store over a map.
type shelf struct {
	mu       sync.Mutex
	sessions map[string]book
}

type book struct {
	data   []byte
	expiry time.Time
}

func (b book) live() bool { return b.expiry.After(time.Now()) }

// peek returns what is stored, expired or not, and not a copy.
func (s *shelf) peek(token string) (book, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.sessions[token]
	return b, ok
}

// put stores data as it is.
func (s *shelf) put(token string, data []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[token] = book{data, expiry}
	return nil
}

func (s *shelf) find(token string) ([]byte, bool, error) {
	b, ok := s.peek(token)
	if !ok || !b.live() {
		return nil, false, nil
	}
	return slices.Clone(b.data), true, nil
}

func (s *shelf) commit(token string, data []byte, expiry time.Time) error {
	return s.put(token, slices.Clone(data), expiry)
}

func (s *shelf) delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, token)
	return nil
}

func (s *shelf) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
	return nil
}

func (s *shelf) all() (map[string][]byte, error) {
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

// library is a store over a shelf, of which a mutant replaces functions.
type library struct {
	*shelf
	find   func(token string) ([]byte, bool, error)
	commit func(token string, data []byte, expiry time.Time) error
	delete func(token string) error
	all    func() (map[string][]byte, error)
	plain  func() // called by the methods without a context
}

func newLibrary(s *shelf, change func(*library)) *library {
	l := &library{shelf: s, find: s.find, commit: s.commit, delete: s.delete, all: s.all,
		plain: func() {}}
	change(l)
	return l
}

// keyed makes the library file sessions under a function of their token.
func (l *library) keyed(key func(string) string) {
	l.find = func(token string) ([]byte, bool, error) { return l.shelf.find(key(token)) }
	l.commit = func(token string, data []byte, e time.Time) error {
		return l.shelf.commit(key(token), data, e)
	}
	l.delete = func(token string) error { return l.shelf.delete(key(token)) }
}

// expiring makes the library change the expiry that it is given.
func (l *library) expiring(change func(token string, expiry time.Time) time.Time) {
	l.commit = func(token string, data []byte, e time.Time) error {
		return l.shelf.commit(token, data, change(token, e))
	}
}

func (l *library) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	return l.find(token)
}

func (l *library) DeleteCtx(_ context.Context, token string) error { return l.delete(token) }

func (l *library) AllCtx(context.Context) (map[string][]byte, error) { return l.all() }

func (l *library) CommitCtx(_ context.Context, token string, data []byte, e time.Time) error {
	return l.commit(token, data, e)
}

func (l *library) Find(token string) ([]byte, bool, error) { l.plain(); return l.find(token) }

func (l *library) Delete(token string) error { l.plain(); return l.delete(token) }

func (l *library) All() (map[string][]byte, error) { l.plain(); return l.all() }

func (l *library) Commit(token string, data []byte, e time.Time) error {
	l.plain()
	return l.commit(token, data, e)
}

func newShelf() *shelf { return &shelf{sessions: make(map[string]book)} }

// stored makes the library change the data that it is given.
func (l *library) stored(change func([]byte) []byte) {
	l.commit = func(token string, data []byte, e time.Time) error {
		return l.shelf.commit(token, change(data), e)
	}
}
