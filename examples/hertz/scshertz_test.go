package scshertz_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/adaptor"
	"github.com/cloudwego/hertz/pkg/common/hlog"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/conformance"
	scshertz "github.com/scskit/scskit/examples/hertz"
	"github.com/scskit/scskit/stores/memstore"
)

func TestMain(m *testing.M) {
	hlog.SetLevel(hlog.LevelFatal)
	m.Run()
}

// TestBegunResponse tests a net/http handler that sends its response before the session can be
// stored: no cookie is sent and no session is stored.
func TestBegunResponse(t *testing.T) {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	reported := make(chan error, 1)
	base := conformance.ListenWith(t, func(l net.Listener) (serve func() error, stop func()) {
		h := server.New(server.WithListener(l), server.WithDisablePrintRoute(true))
		h.Use(func(ctx context.Context, c *app.RequestContext) {
			c.Next(ctx)
			if last := c.Errors.Last(); last != nil {
				reported <- last
				return
			}
			reported <- nil
		}, scshertz.LoadAndSave(sm))
		h.GET("/", adaptor.HertzHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sm.Put(r.Context(), "k", "v")
			_, _ = io.WriteString(w, "begun")
		})))
		return h.Run, func() { _ = h.Shutdown(context.Background()) }
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if err := <-reported; err == nil {
		t.Error("c.Errors is empty")
	}
	if n := len(res.Header["Set-Cookie"]); n != 0 {
		t.Errorf("%d cookies, want none", n)
	}
	all, err := store.AllCtx(t.Context())
	if err != nil || len(all) != 0 {
		t.Errorf("%d sessions in the store, want none (%v)", len(all), err)
	}
}
