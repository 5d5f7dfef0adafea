package scsfiber_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/timeout"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/visit"
)

// TestTimedOut tests a request that the timeout middleware has answered: nothing is stored, since
// no cookie can be sent, and the change is reported as late.
func TestTimedOut(t *testing.T) {
	t.Parallel()
	for name, inside := range map[string]bool{"outside": false, "inside": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sm := newManager(t)
			events := make(chan scskit.Kind, 16)
			session := scsfiber.LoadAndSave(sm,
				adapters.Observe(func(_ context.Context, e scskit.Event) { events <- e.Kind }))
			answered := make(chan struct{})
			slow := func(c fiber.Ctx) error {
				sm.Put(c.Context(), "k", "v")
				c.Locals("end").(context.CancelFunc)()
				<-answered
				return nil
			}
			limit := timeout.Config{Timeout: time.Minute}
			app := fiber.New()
			// The handler cancels the context itself. With a timer, Fiber's error handler and the other
			// handlers would use the response concurrently.
			app.Use(func(c fiber.Ctx) error {
				ctx, cancel := context.WithCancel(c.Context())
				c.SetContext(ctx)
				c.Locals("end", cancel)
				return c.Next()
			})
			if inside {
				app.Use(session)
				app.Get("/", timeout.New(slow, limit))
			} else {
				app.Use(timeout.New(func(c fiber.Ctx) error { return c.Next() }, limit), session)
				app.Get("/", slow)
			}
			config := fiber.ListenConfig{DisableStartupMessage: true}
			base := conformance.ListenWith(t, func(l net.Listener) (serve func() error, stop func()) {
				stop = func() { _ = app.ShutdownWithTimeout(time.Second) }
				return func() error { return app.Listener(l, config) }, stop
			})
			resp, _ := visit.Get(t, base+"/")
			close(answered)
			if resp.StatusCode != http.StatusRequestTimeout || len(resp.Cookies()) != 0 {
				t.Errorf("status %d, cookies %v", resp.StatusCode, resp.Cookies())
			}
			select {
			case kind := <-events:
				if kind != scskit.KindLate {
					t.Errorf("event %v, want late", kind)
				}
			case <-time.After(time.Minute):
				t.Error("no event")
			}
			if all, err := sm.Store.(*scskit.Store).AllCtx(t.Context()); err != nil || len(all) != 0 {
				t.Errorf("%d sessions are stored, error %v", len(all), err)
			}
		})
	}
}
