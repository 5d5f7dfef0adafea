// Package caller tells what scs does not: which methods of a session manager are under way, and
// under which key somebody keeps a value in contexts.
package caller

import (
	"context"
	"runtime"
	"strings"
)

const manager = "github.com/alexedwards/scs/v2.(*SessionManager)."

// Methods yields the methods of a manager that are on the stack, the innermost first.
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

// FirstKey returns the key that ask first asks its context for.
func FirstKey(ask func(ctx context.Context)) any {
	p := &probe{Context: context.Background()}
	ask(p)
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
