package scsgin_test

import (
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/visit"
	"github.com/scskit/scskit/stores/memstore"
)

// flaky is a store whose commits fail on demand.
type flaky struct {
	scs.Store
	down chan bool // holds one value: whether commits fail
}

func (f flaky) Commit(token string, data []byte, expiry time.Time) error {
	down := <-f.down
	f.down <- down
	if down {
		return errors.New("down")
	}
	return f.Store.Commit(token, data, expiry)
}

func newManager(t *testing.T) (*scs.SessionManager, flaky) {
	t.Helper()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	f := flaky{store, make(chan bool, 1)}
	f.down <- false
	sm.Store = f
	return sm, f
}

// TestForward tests that a request that a handler sends through the engine again still writes
// through the session's writer.
func TestForward(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	statuses := map[string]int{"a page": http.StatusOK, "no body": http.StatusNoContent}
	for name, status := range statuses {
		sm, store := newManager(t)
		late := make(chan scskit.Kind, 16)
		observe := adapters.Observe(func(_ context.Context, e scskit.Event) { late <- e.Kind })
		engine := gin.New()
		engine.Use(func(c *gin.Context) {
			c.Next()
			if len(c.Errors) > 0 && !c.Writer.Written() {
				c.String(http.StatusInternalServerError, "sorry")
			}
		}, scsgin.LoadAndSave(sm, adapters.Logger(nil), observe))
		engine.GET("/login", func(c *gin.Context) {
			c.Request.URL.Path = "/target"
			engine.HandleContext(c)
		})
		engine.GET("/target", func(c *gin.Context) {
			ctx := c.Request.Context()
			if err := sm.RenewToken(ctx); err != nil {
				_ = c.Error(err)
				return
			}
			sm.Put(ctx, "visits", sm.GetInt(ctx, "visits")+1)
			if status == http.StatusOK {
				c.String(status, "welcome")
				return
			}
			c.Status(status)
		})
		base := conformance.Listen(t, engine)
		var cookies []*http.Cookie
		for n := range 2 {
			resp, _ := visit.Get(t, base+"/login", cookies...)
			if cookies = resp.Cookies(); resp.StatusCode != status || len(cookies) != 1 {
				t.Fatalf("%s: status %d, cookies %v", name, resp.StatusCode, cookies)
			}
			ctx, err := sm.Load(t.Context(), cookies[0].Value)
			if err != nil || sm.GetInt(ctx, "visits") != n+1 {
				t.Errorf("%s: %d visits are stored, want %d: %v", name, sm.GetInt(ctx, "visits"), n+1, err)
			}
		}
		<-store.down
		store.down <- true
		resp, body := visit.Get(t, base+"/login")
		if resp.StatusCode != http.StatusInternalServerError || body != "sorry" ||
			len(resp.Cookies()) != 0 {
			t.Errorf("%s: with the store down: status %d, cookies %v, body %q",
				name, resp.StatusCode, resp.Cookies(), body)
		}
		if len(late) != 0 {
			t.Errorf("%s: unexpected event %v", name, <-late)
		}
	}
}

// TestForwardPast tests that nothing is stored if the response begins without the session's writer,
// since it cannot have a cookie.
func TestForwardPast(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	sm, _ := newManager(t)
	late := make(chan scskit.Kind, 16)
	engine := gin.New()
	observe := adapters.Observe(func(_ context.Context, e scskit.Event) { late <- e.Kind })
	engine.GET("/login", scsgin.LoadAndSave(sm, observe), func(c *gin.Context) {
		c.Request.URL.Path = "/target"
		engine.HandleContext(c)
	})
	tokens := make(chan string, 1)
	engine.GET("/target", func(c *gin.Context) {
		_ = sm.RenewToken(c.Request.Context())
		sm.Put(c.Request.Context(), "k", "v")
		tokens <- sm.Token(c.Request.Context())
		c.String(http.StatusOK, "welcome")
	})
	resp, _ := visit.Get(t, conformance.Listen(t, engine)+"/login")
	if len(resp.Cookies()) != 0 {
		t.Errorf("cookies %v", resp.Cookies())
	}
	select {
	case kind := <-late:
		if kind != scskit.KindLate {
			t.Errorf("event %v, want late", kind)
		}
	case <-time.After(time.Minute):
		t.Error("no event")
	}
	if _, found, err := sm.Store.Find(<-tokens); found || err != nil {
		t.Errorf("a session is stored: %v", err)
	}
}

// compress works like gin-contrib/gzip: it sets Content-Encoding in advance, and its writer sends
// errors uncompressed.
func compress(c *gin.Context) {
	c.Header("Content-Encoding", "gzip")
	w := &compressed{ResponseWriter: c.Writer}
	w.zip = gzip.NewWriter(c.Writer)
	c.Writer = w
	c.Next()
	if w.used {
		_ = w.zip.Close()
	}
}

type compressed struct {
	gin.ResponseWriter
	zip  *gzip.Writer
	used bool
}

func (w *compressed) Write(b []byte) (int, error) {
	if w.Status() >= http.StatusBadRequest {
		w.Header().Del("Content-Encoding")
		return w.ResponseWriter.Write(b)
	}
	w.used = true
	return w.zip.Write(b)
}

func (w *compressed) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// TestCompressInside tests that the body of an error response by outer middleware matches its
// Content-Encoding.
func TestCompressInside(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	sm, store := newManager(t)
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		c.Next()
		if len(c.Errors) > 0 && !c.Writer.Written() {
			c.String(http.StatusTeapot, "sorry")
		}
	}, scsgin.LoadAndSave(sm, adapters.Logger(nil)), compress)
	engine.GET("/page", func(c *gin.Context) {
		sm.Put(c.Request.Context(), "k", "v")
		c.String(http.StatusOK, "page")
	})
	engine.GET("/error", func(c *gin.Context) {
		sm.Put(c.Request.Context(), "k", "v")
		_ = c.Error(errors.New("handler failed"))
	})
	base := conformance.Listen(t, engine)
	for _, tt := range []struct {
		path    string
		down    bool
		status  int
		body    string
		cookies int
	}{
		{"/page", false, http.StatusOK, "page", 1},
		{"/error", false, http.StatusTeapot, "sorry", 1},
		{"/page", true, http.StatusTeapot, "sorry", 0},
		{"/error", true, http.StatusTeapot, "sorry", 0},
	} {
		<-store.down
		store.down <- tt.down
		resp, body := visit.Get(t, base+tt.path)
		if resp.StatusCode != tt.status || body != tt.body || len(resp.Cookies()) != tt.cookies {
			t.Errorf("%+v: status %d, body %q, cookies %v", tt, resp.StatusCode, body, resp.Cookies())
		}
	}
}
