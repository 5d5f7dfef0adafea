// Package scskit adds server-side sessions to Gin, Echo, Fiber, Chi and net/http, over
// github.com/alexedwards/scs/v2.
//
// Handlers use scs's own SessionManager. scskit adds stores for many backends (packages under
// stores), middleware for the frameworks (packages under adapters), and a test suite that shows
// whether a store and a framework work together as they should (package conformance).
//
//	store, err := memstore.New(nil)
//	sessions := scskit.New(store)
//	router.Use(scschi.LoadAndSave(sessions))
//
// Four promises hold on every framework, and on every backend that keeps sessions on the server:
//
//   - No update is lost when requests change one session at the same time.
//   - A destroyed session never comes back.
//   - The cookie and the stored record always agree.
//   - The behaviour is the same everywhere.
package scskit

import (
	"github.com/alexedwards/scs/v2"
)

// New returns scs.New() with Store set to store, and Codec set to the store's codec if StoreOf
// finds a *Store, or else to Codec. Session cookies are HttpOnly and SameSite=Lax, with Path=/. Set
// Cookie.Secure to true if browsers reach your application by HTTPS. New panics if store is nil.
//
// Make one manager for an application, not one for each request: scs.New starts a goroutine for the
// in-memory store that New replaces. It wakes once a minute, does nothing, and cannot be stopped.
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

// StoreOf returns the *Store that store is, embeds or wraps. A store that wraps another, to measure
// it say, embeds the *Store, or has a method Unwrap that returns it:
//
//	Unwrap() scs.Store
//
// Either way it must be an scs.CtxStore, since only calls with a context keep the promises of a
// Store. ok is false if there is no *Store, or it is nil.
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

// portable returns s. What embeds a *Store has this method too.
func (s *Store) portable() *Store { return s }
