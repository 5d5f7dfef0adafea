package adapters_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/stores/memstore"
)

// TestIdle runs a middleware that never looks at Idle over requests without anything to do.
func TestIdle(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	loaded, err := sm.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	skip := adapters.Skip(func(string, string) bool { return true })
	for _, opts := range [][]adapters.Option{nil, {adapters.Strict()}} {
		outside, err := adapters.NewLifecycle(sm, opts...).Begin(t.Context(), http.MethodGet, "/", nil)
		if err != nil || outside.Idle() {
			t.Fatalf("a request with something to do: idle %v, error %v", outside.Idle(), err)
		}
		for name, l := range map[string]*adapters.Lifecycle{
			"skipped": adapters.NewLifecycle(sm, append(opts, skip)...),
			"loaded":  adapters.NewLifecycle(sm, opts...),
			"nested":  adapters.NewLifecycle(sm, opts...),
		} {
			request := map[string]*http.Request{
				"skipped": httptest.NewRequest(http.MethodGet, "/", nil),
				"loaded":  httptest.NewRequest(http.MethodGet, "/", nil).WithContext(loaded),
				"nested":  httptest.NewRequest(http.MethodGet, "/", nil).WithContext(outside.Context()),
			}[name]
			request.Header.Set("Cookie", "session=token")
			ctx := request.Context()
			r, err := l.BeginHTTP(request)
			if err != nil || !r.Idle() || r.Context() != ctx {
				t.Fatalf("%s: idle %v, error %v", name, r.Idle(), err)
			}
			r.Share(func(key, _ any) { t.Errorf("%s: shares %v", name, key) })
			recorder := httptest.NewRecorder()
			w := adapters.NewWriter(recorder, r)
			w.Serve(func() { w.Handler().WriteHeader(http.StatusTeapot) })
			w.Leave(nil)
			w.Missed()
			if err := w.Finish(); err != nil || recorder.Code != http.StatusTeapot ||
				len(recorder.Header()) != 0 {
				t.Errorf("%s: status %d, header %v, error %v", name, recorder.Code, recorder.Header(), err)
			}
			r.End()
		}
	}
}

// taggedContext cannot be compared.
type taggedContext struct {
	context.Context
	tags []string
}

// TestUncomparableContext begins requests whose context must not be compared.
func TestUncomparableContext(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	for name, ctx := range map[string]context.Context{
		"without a tracker": taggedContext{t.Context(), []string{"a"}},
		"with a tracker":    taggedContext{scskit.WithTracker(t.Context()), []string{"a"}},
	} {
		r, err := adapters.NewLifecycle(sm).Begin(ctx, http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		sm.Put(r.Context(), "user", "ada")
		if err := r.Finish(http.Header{}); err != nil {
			t.Errorf("%s: finish: %v", name, err)
		}
	}
}
