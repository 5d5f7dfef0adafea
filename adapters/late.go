package adapters

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/caller"
)

// End reports changes that the handler made to the session after Finish. They are lost. Call End
// when the handler has returned. With Strict, End panics after such a change.
//
// If the handler first used the session after Finish, and the session could not be loaded, End
// calls the OnError function. End does nothing if Finish was not called.
func (r *Request) End() {
	r.mu.Lock()
	pending := r.finished && r.loaded && r.err == nil && !r.reported
	// With Lazy, the session may have been first used after the response had begun.
	failed := pending && r.loadErr != nil && !r.failedOpen
	late := pending && !failed && r.changedSinceFinish()
	r.reported = r.reported || failed || late
	r.mu.Unlock()
	if failed {
		_ = r.l.fail(&r.ctx, "load", r.loadErr) // the response has been sent
	}
	if late {
		r.reportLate()
	}
}

// reportLate reports a change since Finish. With Strict it panics.
func (r *Request) reportLate() {
	if r.l.report != nil {
		e := scskit.Event{Kind: scskit.KindLate, Outcome: scskit.OutcomeOK}
		if token := r.l.sm.Token(&r.ctx); token != "" {
			e.ID = scskit.HashToken(token)
		}
		r.l.report(r.base, e)
	}
	if r.l.opts.strict {
		panic("adapters: a handler changed the session after its response had begun, and the change is " +
			"lost: move it before the first write or flush")
	}
}

// endWithContext calls End when the request's context ends. It is for an adapter that returns
// before the response begins. With Strict, a change of the session after the response has begun
// then panics at once, in the code that makes it: the adapter is no longer on the stack when End
// runs.
func (r *Request) endWithContext() {
	if r.Idle() {
		return
	}
	if r.l.locker != nil {
		context.AfterFunc(r.base, r.Release) // in case no response begins
	}
	r.returned.Store(r.l.opts.strict)
	r.mu.Lock()
	r.panicLate.Store(r.finished && r.err == nil && r.l.opts.strict)
	r.mu.Unlock()
	if r.l.opts.strict || r.l.report != nil {
		context.AfterFunc(r.base, func() {
			defer func() {
				if p := recover(); p != nil { // of Strict; nothing else recovers it here
					slog.Error(fmt.Sprint(p))
				}
			}()
			r.End()
		})
	}
}

// callerChanges reports whether the manager's method on the stack changes the session. RenewToken
// does not count, since the store rejects it after the response has begun.
func callerChanges() bool {
	for method := range caller.Methods {
		switch method {
		case "getSessionDataFromContext":
			continue
		case "Put", "Remove", "Clear", "Destroy", "SetDeadline", "RememberMe", "MergeSession":
			return true
		}
		return strings.HasPrefix(method, "Pop")
	}
	return false
}

// finishUnsaved finishes the request without storing the session. All changes become late changes.
func (r *Request) finishUnsaved() {
	if r.Idle() {
		return
	}
	r.Release()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.finished {
		r.finished, r.status = true, scs.Unmodified
		r.panicLate.Store(r.returned.Load())
	}
}

func (r *Request) changedSinceFinish() bool {
	if !r.l.opts.strict && r.l.report == nil {
		return false // late changes are not reported
	}
	status := r.l.sm.Status(&r.ctx)
	if status != r.status {
		return true
	}
	return r.snapshot != nil && !r.snapshot.equal(takeSnapshot(&r.ctx, r.l.sm))
}

// snapshot is the state of a session at one time, to detect later changes.
type snapshot struct {
	token    string
	deadline time.Time
	values   map[string]any
}

func takeSnapshot(ctx context.Context, sm *scs.SessionManager) *snapshot {
	s := &snapshot{token: sm.Token(ctx), deadline: sm.Deadline(ctx), values: make(map[string]any)}
	for _, key := range sm.Keys(ctx) {
		s.values[key] = sm.Get(ctx, key)
	}
	return s
}

func (s *snapshot) equal(other *snapshot) bool {
	return s.token == other.token && s.deadline.Equal(other.deadline) &&
		reflect.DeepEqual(s.values, other.values)
}
