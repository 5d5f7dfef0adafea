package harness

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

// Gin is the harness for Gin.
func Gin(session func(*scs.SessionManager, ...adapters.Option) gin.HandlerFunc) conformance.Adapter {
	gin.SetMode(gin.ReleaseMode)
	return conformance.Adapter{Name: "gin", Serve: func(tb testing.TB, app conformance.App) string {
		return conformance.Listen(tb, ginEngine(app, session))
	}}
}

func ginEngine(app conformance.App, session func(*scs.SessionManager, ...adapters.Option) gin.HandlerFunc) *gin.Engine {
	handler := func(h conformance.Handler) gin.HandlerFunc {
		return func(c *gin.Context) {
			if err := h(ginContext{c}); err != nil {
				c.Status(http.StatusInternalServerError)
				_ = c.Error(err)
			}
		}
	}
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	if app.OnError != nil {
		engine.Use(func(c *gin.Context) { // Gin's way: an outer middleware that looks for errors
			c.Next()
			if last := c.Errors.Last(); last != nil && !c.Writer.Written() {
				_ = app.OnError(ginContext{c}, last.Err)
			}
		})
	}
	engine.Use(conformance.Layers(app, session, gin.RecoveryWithWriter(io.Discard))...)
	if app.NotFound != nil {
		engine.NoRoute(handler(app.NotFound))
	}
	if app.NotAllowed != nil {
		engine.NoMethod(handler(app.NotAllowed))
	}
	group := engine.Group("/")
	if app.Nested {
		group.Use(session(app.Sessions, app.Options...))
	}
	for _, r := range app.Routes {
		chain := []gin.HandlerFunc{handler(r.Handler)}
		if r.Guard != nil {
			guard := func(c *gin.Context) {
				_ = r.Guard(ginGuard{ginContext{c}})
				c.Abort()
			}
			chain = []gin.HandlerFunc{guard, chain[0]}
		}
		group.Handle(r.Method, r.Path, chain...)
	}
	return engine
}

// ginContext has no EarlyHints: Gin's writer cannot send an informational response. Nor can it Reset:
// Gin's error handlers are middleware outside, and all that they could take back is the headers,
// that of the session's cookie among them.
type ginContext struct{ c *gin.Context }

var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Mounter
} = ginContext{}

func (c ginContext) Context() context.Context { return c.c.Request.Context() }

func (c ginContext) Query(name string) string { return c.c.Query(name) }

func (c ginContext) SetHeader(name, value string) { c.c.Header(name, value) }

func (c ginContext) Send(status int, body string) error {
	if body == "" {
		c.c.Status(status)
		return nil
	}
	c.c.String(status, "%s", body)
	return nil
}

func (c ginContext) JSON(status int, v any) error {
	c.c.JSON(status, v)
	return nil
}

func (c ginContext) File(name string) error {
	c.c.File(name)
	return nil
}

func (c ginContext) Redirect(status int, url string) error {
	c.c.Redirect(status, url)
	return nil
}

func (c ginContext) Stream(write func(io.Writer, func() error) error) (err error) {
	c.c.Stream(func(w io.Writer) bool {
		err = write(w, func() error { c.c.Writer.Flush(); return nil })
		return false
	})
	return err
}

func (c ginContext) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	conn, rw, err := c.c.Writer.Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	return conformance.Upgrade(rw, c.c.Writer.Header(), protocol, serve)
}

func (c ginContext) Mount(h http.Handler) error {
	gin.WrapH(h)(c.c)
	return nil
}

// ginGuard answers as middleware does that aborts.
type ginGuard struct{ ginContext }

func (c ginGuard) Send(status int, body string) error {
	if body == "" {
		c.c.AbortWithStatus(status)
		return nil
	}
	return c.ginContext.Send(status, body)
}
