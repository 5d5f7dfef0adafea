package migrate_test

import (
	"fmt"
	"testing"
)

// A process of either direction crashes in the middle of a move. Then all lists have the session,
// and DestroySessionsOf ends it.
func TestCrashThenList(t *testing.T) {
	for i := range 16 {
		moved, back, rollback, event := i&1 != 0, i&2 != 0, i&4 != 0, event(i>>3)
		for at := range most {
			name := fmt.Sprintf("moved=%v back=%v rollback=%v %v at %d", moved, back, rollback, event, at)
			calls := 0
			for _, secondBack := range []bool{false, true} {
				for step := range 3 {
					s, token := start(t, moved, rollback)
					p := s.process(back, rollback)
					p.at, p.event = at, event
					requests()["read"](t.Context(), p.Store(), token)
					calls = p.calls
					app := s.process(secondBack, rollback).Store()
					switch step {
					case 0:
						n := 0
						for _, err := range app.SessionsOf(t.Context(), "u") {
							must(t, err)
							n++
						}
						if n != 1 {
							t.Errorf("%s: SessionsOf in %v lists %d", name, secondBack, n)
						}
					case 1:
						all, err := app.AllCtx(t.Context())
						must(t, err)
						if len(all) != 1 {
							t.Errorf("%s: All in %v lists %d", name, secondBack, len(all))
						}
					case 2:
						_, err := app.DestroySessionsOf(t.Context(), "u")
						must(t, err)
						if v := s.values(app, token); v != nil {
							t.Errorf("%s: after DestroySessionsOf in %v: %v", name, secondBack, v)
						}
					}
				}
			}
			if calls <= at {
				break
			}
		}
	}
}
