// Package caller tells which methods of a session manager are under way on the stack. scs passes
// nothing to a store or a context that would tell.
package caller

import (
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
