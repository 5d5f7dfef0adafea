// Package scskit adds server-side sessions to Gin, Echo, Fiber, Chi and net/http, over
// github.com/alexedwards/scs/v2.
//
// The API that handlers use is scs's own SessionManager. scskit supplies
// what surrounds it: stores for the backends (packages under stores), middleware for the frameworks
// (packages under adapters), and a suite with which anyone can prove that a pair of
// the two behaves (package conformance).
//
//	store, err := memstore.New(nil)
//	sessions := scskit.New(store)
//	router.Use(scschi.LoadAndSave(sessions))
//
// Four promises hold on every framework, and on every backend that keeps the
// session on the server: no update is lost when requests write one session at the same time;
// a destroyed session never comes back; the cookie and the stored record always agree; and
// the behaviour is the same everywhere.
package scskit

import (
	"github.com/alexedwards/scs/v2"
)

// New returns a session manager over store, with what scs.New gives it but for the codec: that of
// the *Store that StoreOf finds, or else Codec. Session cookies are HttpOnly, SameSite=Lax, with
// Path=/; set Cookie.Secure to true wherever the application is reached by HTTPS. New panics if
// store is nil.
//
// scs.New starts one goroutine for each manager, for the in-memory store that New replaces; it
// wakes once a minute to do nothing and cannot be stopped without a data race. New itself starts
// none. Make one manager for an application, not one for each request.
func New(store scs.Store) *scs.SessionManager {
	if isNil(store) {
		panic("scskit: New: store is nil; make one with a store package, such as memstore.New(nil), and check its error")
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
