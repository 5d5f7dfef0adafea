package scskit

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"

	"github.com/alexedwards/scs/v2"
)

// ErrNoValue is matched by the error of Key.Lookup if the session has no value under the key.
var ErrNoValue = errors.New("the session has no value under this key")

// Key is the name of a session value together with its type:
//
//	var cart = scskit.NewKey[Cart]("cart")
//
//	cart.Put(ctx, sessions, c)
//	c, ok := cart.Get(ctx, sessions)
//
// Its methods call those of the SessionManager with that name, and need the same contexts.
type Key[T any] string

// NewKey returns Key[T](name) and registers T with encoding/gob, which the codecs need for your own
// types. Call it when the program starts, for example to initialize a package variable, in every
// program that shares the sessions. If the program registers T with gob.RegisterName, write
// Key[T](name) instead. Like gob, NewKey panics if it is called both for a type and for a pointer
// to it.
func NewKey[T any](name string) Key[T] {
	if t := reflect.TypeFor[T](); t.Kind() != reflect.Interface {
		gob.Register(reflect.Zero(t).Interface())
	}
	return Key[T](name)
}

// Get returns the value under the key. ok is false if there is none of type T.
func (k Key[T]) Get(ctx context.Context, sm *scs.SessionManager) (value T, ok bool) {
	value, ok = sm.Get(ctx, string(k)).(T)
	return value, ok
}

// Lookup is like Get, but its error says why there is no value. The error matches ErrNoValue, or
// names the type that the session holds instead.
func (k Key[T]) Lookup(ctx context.Context, sm *scs.SessionManager) (T, error) {
	if !sm.Exists(ctx, string(k)) {
		var zero T
		return zero, fmt.Errorf("scskit: session key %q: %w", k, ErrNoValue)
	}
	held := sm.Get(ctx, string(k))
	value, ok := held.(T)
	if ok {
		return value, nil
	}
	if unknown, ok := held.(Unknown); ok {
		return value, fmt.Errorf("scskit: session key %q holds %v: register its type, with NewKey or "+
			"gob.Register", k, unknown)
	}
	return value, fmt.Errorf("scskit: session key %q holds a %T, not a %s", k, held,
		reflect.TypeFor[T]())
}

// Put stores a value.
func (k Key[T]) Put(ctx context.Context, sm *scs.SessionManager, value T) {
	sm.Put(ctx, string(k), value)
}

// Pop removes the value under the key and returns it. ok is false if there is none of type T; a
// value of another type is not removed.
func (k Key[T]) Pop(ctx context.Context, sm *scs.SessionManager) (value T, ok bool) {
	if value, ok = k.Get(ctx, sm); ok {
		sm.Remove(ctx, string(k))
	}
	return value, ok
}

// Remove removes the value under the key, whatever its type.
func (k Key[T]) Remove(ctx context.Context, sm *scs.SessionManager) { sm.Remove(ctx, string(k)) }
