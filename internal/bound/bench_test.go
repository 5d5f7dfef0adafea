package bound

import (
	"context"
	"testing"
	"time"
)

// BenchmarkContext compares one operation under a Context with one under context.WithTimeout. In
// most operations nobody waits for Done; a client that does waits under Coarse.
func BenchmarkContext(b *testing.B) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, operation := range map[string]func(wait bool){
		"stdlib": func(wait bool) {
			ctx, cancel := context.WithTimeout(parent, 5*time.Second)
			if wait {
				ctx.Done()
			}
			_ = ctx.Err()
			cancel()
		},
		"bound": func(wait bool) {
			var c Context
			c.Begin(parent, 5*time.Second)
			if wait {
				c.Done()
			}
			_ = c.Err()
			c.End()
		},
		"coarse": func(wait bool) {
			var c Context
			c.Begin(parent, 5*time.Second)
			if wait {
				c.Coarse().Done()
			}
			_ = c.Err()
			c.End()
		},
	} {
		for op, wait := range map[string]bool{"ask": false, "wait": true} {
			b.Run("op="+op+"/context="+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					operation(wait)
				}
			})
		}
	}
}
