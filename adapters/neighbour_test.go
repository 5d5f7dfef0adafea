package adapters_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/internal/visit"
)

// serve serves a handler on a local port and returns its base URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// fetch makes a request on a new connection.
func fetch(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReverseProxy tests a reverse proxy that panics because it cannot write: the client gets the
// error page.
func TestReverseProxy(t *testing.T) {
	t.Parallel()
	behind := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("behind ", 1000))
	}))
	target, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	sm, _, _ := outage(t, "commit")
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := serve(t, scshttp.LoadAndSave(sm, adapters.Logger(nil))(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			sm.Put(r.Context(), "k", "v")
			proxy.ServeHTTP(w, r)
		})))
	resp, body := fetch(t, request(t, http.MethodGet, front, nil))
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(body, "behind") {
		t.Errorf("status %d, body %.40q", resp.StatusCode, body)
	}
}

// TestAbort tests that only an http.ErrAbortHandler after a withheld response is recovered.
func TestAbort(t *testing.T) {
	t.Parallel()
	for name, withheld := range map[string]bool{"not withheld": false, "withheld": true} {
		fails := map[bool]string{true: "commit"}[withheld]
		sm, _, _ := outage(t, fails)
		for _, value := range []any{http.ErrAbortHandler, "another"} {
			var got any
			func() {
				defer func() { got = recover() }()
				trip(sm, "", func(w http.ResponseWriter, r *http.Request) {
					sm.Put(r.Context(), "k", "v")
					_, _ = io.WriteString(w, "handler")
					panic(value)
				}, adapters.Logger(nil))
			}()
			want := value
			if withheld && value == any(http.ErrAbortHandler) {
				want = nil
			}
			if got != want {
				t.Errorf("%s: panic %v, want %v", name, got, want)
			}
		}
	}
}

// TestGoexit tests that runtime.Goexit in a handler does not become a panic.
func TestGoexit(t *testing.T) {
	t.Parallel()
	sm, _, _ := outage(t, "commit")
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		trip(sm, "", func(w http.ResponseWriter, r *http.Request) {
			sm.Put(r.Context(), "k", "v")
			_, _ = io.WriteString(w, "handler")
			runtime.Goexit()
		}, adapters.Logger(nil))
	}()
	<-done
	if panicked != nil {
		t.Errorf("panic: %v", panicked)
	}
}

// TestUpload tests that the temporary file of a form is removed, and that outer middleware sees the
// route and path values that the router sets in the request.
func TestUpload(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		sm := newManager(t, nil)
		names := make(chan string, 1)
		outside := make(chan string, 1)
		mux := http.NewServeMux()
		mux.HandleFunc("POST /upload/{id}", func(_ http.ResponseWriter, r *http.Request) {
			if err := r.ParseMultipartForm(1 << 10); err != nil {
				t.Error(err)
				return
			}
			f, err := r.MultipartForm.File["file"][0].Open()
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			names <- f.(*os.File).Name()
			if panics {
				panic(http.ErrAbortHandler)
			}
		})
		session := scshttp.LoadAndSave(sm)(mux)
		base := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				outside <- r.Pattern + " " + r.PathValue("id")
				if adapters.HasSession(r.Context(), sm) {
					t.Error("the outer context has the session")
				}
			}()
			session.ServeHTTP(w, r)
		}))
		transport := &http.Transport{DisableKeepAlives: true}
		resp, err := transport.RoundTrip(visit.Upload(t, base+"/upload/7"))
		if err == nil {
			_ = resp.Body.Close()
		} else if !panics {
			t.Fatal(err)
		}
		if got, want := <-outside, "POST /upload/{id} 7"; got != want {
			t.Errorf("outside: %q, want %q", got, want)
		}
		name := <-names
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("panics %v: the temporary file was not removed: %v", panics, err)
			_ = os.Remove(name)
		}
	}
}

// TestLogger tests that a failure is logged once by default, and with Logger and OnError as they
// say.
func TestLogger(t *testing.T) {
	var def, own bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&def, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	hook := adapters.OnError(func(context.Context, error) error { return nil })
	logger := adapters.Logger(slog.New(slog.NewTextHandler(&own, nil)))
	for name, tt := range map[string]struct {
		opts     []adapters.Option
		def, own int
	}{
		"default":            {nil, 1, 0},
		"fail open":          {[]adapters.Option{adapters.FailOpen()}, 1, 0},
		"a logger":           {[]adapters.Option{logger}, 0, 1},
		"none":               {[]adapters.Option{adapters.Logger(nil)}, 0, 0},
		"a hook":             {[]adapters.Option{hook}, 0, 0},
		"a hook, a logger":   {[]adapters.Option{hook, logger}, 0, 1},
		"lazy":               {[]adapters.Option{adapters.Lazy()}, 1, 0},
		"a hook, and silent": {[]adapters.Option{hook, adapters.Logger(nil)}, 0, 0},
	} {
		for op, fails := range map[string]string{"load": "find", "commit": "commit"} {
			def.Reset()
			own.Reset()
			sm, _, token := outage(t, fails)
			handler := func(_ http.ResponseWriter, r *http.Request) { put(r.Context(), sm) }
			trip(sm, token, handler, tt.opts...)
			d, o := strings.Count(def.String(), "\n"), strings.Count(own.String(), "\n")
			if d != tt.def || o != tt.own {
				t.Errorf("%s, %s: %d lines in the default logger and %d in its own\n%s%s",
					name, op, d, o, &def, &own)
			}
			logged := def.String() + own.String()
			for _, want := range []string{"op=" + op, errBroken.Error()} {
				if logged != "" && !strings.Contains(logged, want) {
					t.Errorf("%s: logged %s without %s", name, logged, want)
				}
			}
			if strings.Contains(logged, token) {
				t.Errorf("%s: logged the token: %s", name, logged)
			}
		}
	}
}

// TestOneCookie tests that two managers with the same cookie name around one request are an error:
// they would overwrite each other's cookie.
func TestOneCookie(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]adapters.Option{nil, {adapters.FailOpen()}} {
		outer, inner := newManager(t, nil), newManager(t, nil)
		token := begin(t, outer, map[string]any{"user": "ada"})
		var got error
		inner.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
			got = err
			w.WriteHeader(http.StatusInternalServerError)
		}
		opts = append(opts, adapters.Logger(nil))
		handler := scshttp.LoadAndSave(inner, opts...)(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") }))
		resp := trip(outer, token, handler.ServeHTTP, opts...)
		if resp.StatusCode != http.StatusInternalServerError || len(resp.Cookies()) != 0 {
			t.Errorf("status %d, cookies %v", resp.StatusCode, resp.Cookies())
		}
		const want = `session: load: two session managers around one request share the cookie ` +
			`"session": give one of them another Cookie.Name, or use one manager for both`
		if got == nil || got.Error() != want {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		if left := values(outer, token); left != "user" {
			t.Errorf("the session has the keys %q", left)
		}
	}
}

// TestChangedManager tests that a change of the manager's settings does not affect the middleware.
func TestChangedManager(t *testing.T) {
	t.Parallel()
	sm := newManager(t, nil)
	handler := scshttp.LoadAndSave(sm)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "k", "v")
		sm.Cookie.Secure, sm.Cookie.Name = true, "another"
	}))
	for range 2 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		got := w.Result().Cookies()
		if len(got) != 1 || got[0].Name != "session" || got[0].Secure {
			t.Errorf("cookies %v", got)
		}
	}
}
