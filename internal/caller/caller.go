// Package caller finds out what scs does not export: the methods of a session manager that are on
// the stack, and the keys under which values are kept in contexts.
package caller

import (
	"context"
	"runtime"
	"strings"
)

const manager = "github.com/alexedwards/scs/v2.(*SessionManager)."

// Methods yields the names of the session manager's methods on the stack, innermost first.
func Methods(yield func(method string) bool) {
	var pcs [24]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if method, ok := strings.CutPrefix(frame.Function, manager); ok && !yield(method) {
			return
		}
	}
}

// FirstKey calls f and returns the first key that f looks up in the context, or nil.
func FirstKey(f func(ctx context.Context)) any {
	p := &probe{Context: context.Background()}
	f(p)
	return p.key
}

type probe struct {
	context.Context
	key any
}

func (p *probe) Value(key any) any {
	if p.key == nil {
		p.key = key
	}
	return nil
}
