package conformance

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

var (
	errTeapot = errors.New("a handler's error")
	errStore  = errors.New("the store at 10.11.12.13 is down")
)

// failing returns a fault for the operation op.
func failing(op string) func(string) error {
	return func(o string) error {
		if o == op {
			return errStore
		}
		return nil
	}
}

var _ scs.CtxStore = (*spy)(nil)

// spy is a store that counts its calls and can be made to fail.
type spy struct {
	scs.Store
	t    *checkT
	done chan string // gets the name of each operation that has ended

	mu    sync.Mutex
	calls map[string]int
	fault func(op string) error
}

// Unwrap returns the store, for scskit.StoreOf.
func (w *spy) Unwrap() scs.Store { return w.Store }

// fail sets the function that makes operations fail; nil removes it.
func (w *spy) fail(fault func(op string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// count returns the number of calls of the operations, or of all.
func (w *spy) count(ops ...string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for op, calls := range w.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}

// drain forgets the operations that have ended.
func (w *spy) drain() {
	for len(w.done) > 0 {
		<-w.done
	}
}

// ended waits until an operation ends after the last drain.
func (w *spy) ended(t *checkT, op string) {
	t.Helper()
	timeout := time.NewTimer(t.eventTimeout())
	defer timeout.Stop()
	for {
		select {
		case done := <-w.done:
			if done == op {
				return
			}
		case <-timeout.C:
			t.Fatalf("the store got no %s", op)
		}
	}
}

func (w *spy) pass(op string, f func() error) error {
	w.t.alive()
	defer w.t.alive()
	w.mu.Lock()
	if w.calls == nil {
		w.calls = make(map[string]int)
	}
	w.calls[op]++
	fault := w.fault
	w.mu.Unlock()
	defer func() {
		select {
		case w.done <- op:
		default:
		}
	}()
	if fault != nil {
		if err := fault(op); err != nil {
			return err
		}
	}
	return f()
}

func (w *spy) Find(token string) ([]byte, bool, error) {
	return w.FindCtx(context.Background(), token)
}

func (w *spy) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = w.pass("find", func() error { data, found, err = findCtx(ctx, w.Store, token); return err })
	return data, found, err
}

func (w *spy) Commit(token string, data []byte, expiry time.Time) error {
	return w.CommitCtx(context.Background(), token, data, expiry)
}

func (w *spy) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return w.pass("commit", func() error { return commitCtx(ctx, w.Store, token, data, expiry) })
}

func (w *spy) Delete(token string) error { return w.DeleteCtx(context.Background(), token) }

func (w *spy) DeleteCtx(ctx context.Context, token string) error {
	return w.pass("delete", func() error { return deleteCtx(ctx, w.Store, token) })
}
