// Package scskit adds server-side sessions to Gin, Echo, Fiber, Chi and net/http. It is built on
// github.com/alexedwards/scs/v2.
//
// Handlers use scs's own SessionManager. scskit adds stores for many backends (packages under
// stores), middleware for the frameworks (packages under adapters), and a test suite that checks a
// store and a framework together (package conformance).
//
//	store, err := memstore.New(nil)
//	sessions := scskit.New(store)
//	router.Use(scschi.LoadAndSave(sessions))
//
// It makes four promises on every framework, and on every backend that keeps sessions on the
// server:
//
//   - No update is lost when requests change one session at the same time.
//   - A destroyed session never comes back.
//   - The cookie and the stored record always agree.
//   - The behaviour is the same everywhere.
package scskit

import (
	"github.com/alexedwards/scs/v2"
)

// New returns scs.New() with Store set to store and Codec set to the store's codec. If StoreOf
// finds no *Store in store, the codec is Codec. Session cookies are HttpOnly and SameSite=Lax, with
// Path=/. If browsers reach your application by HTTPS, as they should in production, pass
// adapters.HostCookie() to LoadAndSave, which makes the cookie Secure and keeps other hosts from
// setting it, or at least set Cookie.Secure to true. New panics if store is nil.
//
// Make one manager for each application, not one for each request: scs.New starts a goroutine that
// cannot be stopped, for the in-memory store that New replaces.
func New(store scs.Store) *scs.SessionManager {
	if isNil(store) {
		panic("scskit: New: store is nil; make one with a store package, such as memstore.New(nil), " +
			"and check its error")
	}
	sm := scs.New()
	sm.Store = store
	sm.Codec = Codec{}
	if s, ok := StoreOf(store); ok {
		sm.Codec = s.Codec()
	}
	return sm
}

func isNil(store scs.Store) bool {
	if store == nil {
		return true
	}
	s, ok := store.(*Store)
	return ok && s == nil
}

// StoreOf returns the *Store that store is, embeds or wraps. A store that wraps another one, for
// example to measure it, embeds the *Store or has this method:
//
//	Unwrap() scs.Store
//
// It must also implement scs.CtxStore, since a Store merges only in calls with a context. ok is
// false if there is no *Store, or if it is nil.
func StoreOf(store scs.Store) (s *Store, ok bool) {
	for store != nil {
		switch outer := store.(type) {
		case interface{ portable() *Store }:
			s = outer.portable()
			return s, s != nil
		case interface{ Unwrap() scs.Store }:
			store = outer.Unwrap()
		default:
			return nil, false
		}
	}
	return nil, false
}

// portable returns s. Types that embed a *Store have this method too.
func (s *Store) portable() *Store { return s }
