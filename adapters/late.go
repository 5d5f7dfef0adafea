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

// End is called when the handler has returned: a change of the session since Finish is lost, and is
// reported; OnError is told of a session that was first asked for since then and could not be
// loaded. It does nothing if Finish was not called. With Strict it panics.
func (r *Request) End() {
	r.mu.Lock()
	settled := r.finished && r.loaded && r.err == nil
	// under Lazy, first used when the response had begun
	failed := settled && r.loadErr != nil && !r.open && !r.reported
	late := settled && !failed && !r.reported && r.changedSinceFinish()
	r.reported = r.reported || failed || late
	r.mu.Unlock()
	if failed {
		_ = r.l.fail(&r.ctx, "load", r.loadErr) // no response is left to put it in
	}
	if late {
		r.tellLate()
	}
}

// tellLate tells of a change since Finish. With Strict it panics.
func (r *Request) tellLate() {
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

// endLater calls End when the request's context ends, for an adapter that has returned before the
// response begins. With Strict, what changes the session after that panics on the spot, since
// nothing of the adapter's is left for a panic to go through.
func (r *Request) endLater() {
	if r.Idle() {
		return
	}
	r.left.Store(r.l.opts.strict)
	r.mu.Lock()
	r.late.Store(r.finished && r.err == nil && r.l.opts.strict)
	r.mu.Unlock()
	if r.l.opts.strict || r.l.report != nil {
		context.AfterFunc(r.base, func() {
			defer func() {
				if p := recover(); p != nil { // Strict; nothing else would stop it here
					slog.Error(fmt.Sprint(p))
				}
			}()
			r.End()
		})
	}
}

// changes reports whether the manager asks for the session in order to change it. A late RenewToken
// is none: the store refuses it.
func changes() bool {
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

// miss ends the session's life without storing it. Whatever a handler did to it is a late change.
func (r *Request) miss() {
	if r.Idle() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.finished {
		r.finished, r.status = true, scs.Unmodified
		r.late.Store(r.left.Load())
	}
}

func (r *Request) changedSinceFinish() bool {
	if !r.l.opts.strict && r.l.report == nil {
		return false // nobody wants to know
	}
	status := r.l.sm.Status(&r.ctx)
	if status != r.status {
		return true
	}
	return r.snapshot != nil && !r.snapshot.equal(takeSnapshot(&r.ctx, r.l.sm))
}

// snapshot is the state of a session, to see whether it changed later.
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
