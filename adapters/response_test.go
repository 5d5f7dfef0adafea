package adapters_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// lines is a Header that keeps its lines in order.
type lines []string

func (h *lines) VisitAll(f func(name, value []byte)) {
	for _, line := range *h {
		name, value, _ := strings.Cut(line, ": ")
		f([]byte(name), []byte(value))
	}
}

func (h *lines) Add(name, value string) { *h = append(*h, name+": "+value) }

func (h *lines) Del(name string) {
	*h = slices.DeleteFunc(*h, func(line string) bool {
		return strings.HasPrefix(strings.ToLower(line), strings.ToLower(name)+":")
	})
}

var errDown = errors.New("the store is down")

// downStore is a store whose commits fail.
type downStore struct{ scs.Store }

func (downStore) Commit(string, []byte, time.Time) error { return errDown }

func TestResponse(t *testing.T) {
	t.Parallel()
	outside := lines{"X-Request-Id: 7", "Vary: Origin", "Set-Cookie: lang=en"}
	handler := lines{
		"Set-Cookie: theme=dark", "Set-Cookie: session=forged", "vary: Accept",
		"Cache-Control: public", "X-Accel-Redirect: /secret", "Content-Type: text/html",
	}
	all := slices.Concat(outside, handler)
	for name, tt := range map[string]struct {
		down  bool
		opts  []adapters.Option
		quiet bool // the handler does not use the session
		want  lines
	}{
		"stored": {want: lines{
			"X-Request-Id: 7", "X-Accel-Redirect: /secret", "Content-Type: text/html",
			"Set-Cookie: lang=en", "Set-Cookie: theme=dark", "Set-Cookie: session=…",
			"Cache-Control: no-store", "Vary: Origin, Accept, Cookie",
		}},
		"not stored": {down: true, want: outside},
		"given up": {down: true, opts: []adapters.Option{adapters.FailOpen()}, want: lines{
			"X-Request-Id: 7", "Set-Cookie: lang=en", "Set-Cookie: theme=dark", "Set-Cookie: session=forged",
			"Cache-Control: public", "X-Accel-Redirect: /secret", "Content-Type: text/html",
			"Vary: Origin, Accept, Cookie",
		}},
		"not used": {quiet: true, opts: []adapters.Option{adapters.Lazy()}, want: all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sm := newManager(t, nil)
			if tt.down {
				sm.Store = downStore{sm.Store}
			}
			req, err := adapters.NewLifecycle(sm, tt.opts...).Begin(t.Context(), http.MethodGet, "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			h := slices.Clone(outside)
			res := adapters.NewResponse(&h, req)
			h = append(h, handler...)
			if !tt.quiet {
				sm.Put(req.Context(), "k", "v")
			}
			err = res.Finish()
			if fails := tt.down && tt.opts == nil; errors.Is(err, errDown) != fails {
				t.Errorf("Finish: %v, want an error: %v", err, fails)
			}
			for i, line := range h {
				if value, ok := strings.CutPrefix(line, "Set-Cookie: session="); ok && value != "forged" {
					h[i] = "Set-Cookie: session=…"
				}
			}
			if !slices.Equal(h, tt.want) {
				t.Errorf("header\n%s\nwant\n%s", strings.Join(h, "\n"), strings.Join(tt.want, "\n"))
			}

			h = append(h, "Content-Type: text/plain", "Location: /")
			answered := slices.Clone(h)
			if again := res.Finish(); !errors.Is(again, err) {
				t.Errorf("second Finish: %v, want the error of the first, %v", again, err)
			}
			if !slices.Equal(h, answered) {
				t.Errorf("the second Finish changed the header to\n%s", strings.Join(h, "\n"))
			}
		})
	}
}
