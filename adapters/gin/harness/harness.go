// Package harness runs the conformance kit's test applications on Gin. With it you can test your
// own store or adapter together with Gin:
//
//	conformance.TestMatrix(t, []conformance.Adapter{harness.New(scsgin.LoadAndSave)}, stores)
//
// The package is experimental, except New.
package harness

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

// New returns a conformance.Adapter that serves applications on Gin behind the middleware.
func New(
	session func(*scs.SessionManager, ...adapters.Option) gin.HandlerFunc,
) conformance.Adapter {
	gin.SetMode(gin.ReleaseMode)
	return conformance.Adapter{
		Name:       "gin",
		Neighbours: conformance.Kinds(ginNeighbours, conformance.Forward, conformance.Proxy),
		Serve: func(tb testing.TB, app conformance.App) string {
			return conformance.Listen(tb, ginEngine(app, session))
		},
	}
}

var ginNeighbours = map[conformance.Neighbour]gin.HandlerFunc{
	conformance.Compress: ginGzip,
	conformance.Dump:     ginDump,
	conformance.Log:      gin.LoggerWithWriter(io.Discard),
	conformance.Files:    ginFiles,
}

// ginGzip does what gin-contrib/gzip does: it sets Content-Encoding in advance, sends errors
// uncompressed, and leaves its writer in the context although another request may already use the
// compressor.
func ginGzip(c *gin.Context) {
	if !strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Next()
		return
	}
	zip, _ := gzips.Get().(*gzip.Writer)
	zip.Reset(c.Writer)
	c.Header("Content-Encoding", "gzip")
	w := &ginGzipWriter{ResponseWriter: c.Writer, zip: zip}
	c.Writer = w
	defer func() {
		if !w.used {
			zip.Reset(io.Discard)
		}
		_ = zip.Close()
		gzips.Put(zip)
	}()
	c.Next()
}

var gzips = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

type ginGzipWriter struct {
	gin.ResponseWriter
	zip  *gzip.Writer
	used bool
}

func (w *ginGzipWriter) Write(b []byte) (int, error) {
	if w.Status() >= http.StatusBadRequest && !w.used {
		w.Header().Del("Content-Encoding")
		return w.ResponseWriter.Write(b)
	}
	w.used = true
	return w.zip.Write(b)
}

func (w *ginGzipWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *ginGzipWriter) Flush() {
	_ = w.zip.Flush()
	w.ResponseWriter.Flush()
}

// ginFiles does what gin-contrib/static does.
func ginFiles(c *gin.Context) {
	files := conformance.StaticFiles()
	if _, err := fs.Stat(files, strings.TrimPrefix(c.Request.URL.Path, "/")); err == nil {
		http.FileServerFS(files).ServeHTTP(c.Writer, c.Request)
		c.Abort()
	}
}

// ginDump keeps a copy of the body, as logging middleware for Gin does.
func ginDump(c *gin.Context) {
	w := &ginDumpWriter{ResponseWriter: c.Writer}
	c.Writer = w
	c.Next()
}

type ginDumpWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *ginDumpWriter) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.ResponseWriter.Write(b)
}

func (w *ginDumpWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func ginEngine(
	app conformance.App, session func(*scs.SessionManager, ...adapters.Option) gin.HandlerFunc,
) *gin.Engine {
	engine := gin.New()
	handler := func(h conformance.Handler) gin.HandlerFunc {
		return func(c *gin.Context) {
			if err := h(ginContext{c, engine}); err != nil {
				c.Status(http.StatusInternalServerError)
				_ = c.Error(err)
			}
		}
	}
	engine.HandleMethodNotAllowed = true
	if app.OnError != nil {
		engine.Use(func(c *gin.Context) { // in Gin, outer middleware handles c.Errors
			c.Next()
			if last := c.Errors.Last(); last != nil && !c.Writer.Written() {
				_ = app.OnError(ginContext{c, engine}, last.Err)
			}
		})
	}
	engine.Use(conformance.Layers(app, session, gin.RecoveryWithWriter(io.Discard), ginNeighbours)...)
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
				_ = r.Guard(ginGuard{ginContext{c, engine}})
				c.Abort()
			}
			chain = []gin.HandlerFunc{guard, chain[0]}
		}
		group.Handle(r.Method, r.Path, chain...)
	}
	return engine
}

// ginContext has no EarlyHints: Gin's writer cannot send an informational response. It has no
// Reset: error handlers in Gin are outer middleware, and all they could remove is the headers,
// including the session's cookie.
type ginContext struct {
	c      *gin.Context
	engine *gin.Engine
}

var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Mounter
	conformance.Forwarder
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

func (c ginContext) Forward(path string) error {
	c.c.Request.URL.Path = path
	c.engine.HandleContext(c.c)
	return nil
}

// ginGuard answers as middleware that aborts does.
type ginGuard struct{ ginContext }

func (c ginGuard) Send(status int, body string) error {
	if body == "" {
		c.c.AbortWithStatus(status)
		return nil
	}
	return c.ginContext.Send(status, body)
}
