package conformance

import (
	"context"
	"sync"
)

// Abandonable returns a context for the request that a harness passes to middleware of the kind
// Abandon, such as http.TimeoutHandler with a timeout of minutes. The check ends the context, as a
// deadline would, while the handler runs, so that no clock decides which comes first.
func Abandonable(ctx context.Context) context.Context {
	return &abandonable{Context: ctx, done: make(chan struct{})}
}

type abandonable struct {
	context.Context
	done chan struct{}
	once sync.Once
}

type abandonKey struct{}

func (a *abandonable) Value(key any) any {
	if key == (abandonKey{}) {
		return a
	}
	return a.Context.Value(key)
}

func (a *abandonable) Done() <-chan struct{} { return a.done }

func (a *abandonable) Err() error {
	select {
	case <-a.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func (a *abandonable) end() { a.once.Do(func() { close(a.done) }) }
