package scskit

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"

	"github.com/alexedwards/scs/v2"
)

// ErrNoValue is matched by the error of Key.Lookup for a session that has nothing under the key.
var ErrNoValue = errors.New("the session has no value under this key")

// Key is the name of a session value together with its type:
//
//	var cart = scskit.NewKey[Cart]("cart")
//
//	cart.Put(ctx, sessions, c)
//	c, ok := cart.Get(ctx, sessions)
//
// It reads and writes what sessions.Get and sessions.Put do under that name, with the same
// contexts.
type Key[T any] string

// NewKey returns Key[T](name), and registers T with encoding/gob, which the codecs need for a type
// of your own. Call it when the program starts, best for a variable of a package, in every program
// that shares the sessions. For a type that the program registers by gob.RegisterName, write
// Key[T](name) instead. Like gob, NewKey panics if it is called for a type and for a pointer to it.
func NewKey[T any](name string) Key[T] {
	if t := reflect.TypeFor[T](); t.Kind() != reflect.Interface {
		gob.Register(reflect.Zero(t).Interface())
	}
	return Key[T](name)
}

// Get returns the value, and whether the session holds one of type T.
func (k Key[T]) Get(ctx context.Context, sm *scs.SessionManager) (value T, ok bool) {
	value, ok = sm.Get(ctx, string(k)).(T)
	return value, ok
}

// Lookup is Get for those who want to know why there is no value: the error matches ErrNoValue, or
// names the type of what the session holds instead.
func (k Key[T]) Lookup(ctx context.Context, sm *scs.SessionManager) (T, error) {
	if !sm.Exists(ctx, string(k)) {
		var zero T
		return zero, fmt.Errorf("scskit: session key %q: %w", k, ErrNoValue)
	}
	held := sm.Get(ctx, string(k))
	value, ok := held.(T)
	if !ok {
		return value, fmt.Errorf("scskit: session key %q holds a %T, not a %s", k, held,
			reflect.TypeFor[T]())
	}
	return value, nil
}

// Put stores a value.
func (k Key[T]) Put(ctx context.Context, sm *scs.SessionManager, value T) {
	sm.Put(ctx, string(k), value)
}

// Pop removes the value and returns it, and whether there was one of type T. A value of another
// type stays.
func (k Key[T]) Pop(ctx context.Context, sm *scs.SessionManager) (value T, ok bool) {
	if value, ok = k.Get(ctx, sm); ok {
		sm.Remove(ctx, string(k))
	}
	return value, ok
}

// Remove removes the value, whatever its type.
func (k Key[T]) Remove(ctx context.Context, sm *scs.SessionManager) { sm.Remove(ctx, string(k)) }
