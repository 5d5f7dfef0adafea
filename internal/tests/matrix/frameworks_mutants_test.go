//go:build !race

package matrix_test

import (
	"flag"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/scskit/scskit/adapters"
	echoharness "github.com/scskit/scskit/adapters/echo/harness"
	fiberharness "github.com/scskit/scskit/adapters/fiber/harness"
	ginharness "github.com/scskit/scskit/adapters/gin/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/mutants"
)

var update = flag.Bool("update", false, "write the golden file of the mutants; see mutants.Golden")

// TestFrameworkMutants runs adapters with mistakes that a framework invites. Each must fail its own
// check and those in the golden file, and no other.
func TestFrameworkMutants(t *testing.T) {
	const file = "testdata/mutants.txt"
	golden, err := mutants.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	all := []struct {
		adapter conformance.Adapter
		mutants.Mutant
	}{
		{ginharness.New(ginWriteOnly), mutants.Mutant{
			Name: "gin overrides Write alone", Check: "adapter/abort",
			Defect: "of the methods of gin.ResponseWriter only Write saves the session",
		}},
		{ginharness.New(ginKeepsWriter), mutants.Mutant{
			Name: "gin does not restore the writer", Check: "adapter/panic-outside",
			Defect: "the writer of the session stays in the gin.Context after a panic",
		}},
		{ginharness.New(ginPutsBack), mutants.Mutant{
			Name: "gin restores the writer", Check: "pair/fail-hook",
			Defect: "a failed commit is answered with AbortWithError, which sends no page",
		}},
		{echoharness.New(echoTrusts), mutants.Mutant{
			Name: "echo trusts the writer it finds", Check: "neighbour/compress",
			Defect: "after the handler, any writer in the response is taken for the one of the session",
		}},
		{echoharness.New(echoBefore), mutants.Mutant{
			Name: "echo hooks Before alone", Check: "adapter/empty",
			Defect: "the session is saved in Response.Before only, which an empty response does not call",
		}},
		{echoharness.New(echoEager), mutants.Mutant{
			Name: "echo finishes what failed", Check: "adapter/error-reset",
			Defect: "the session is saved before the error handler answers",
		}},
		{fiberharness.New(fiberReturns), mutants.Mutant{
			Name: "fiber returns the handler's error", Check: "adapter/error-reset",
			Defect: "the session is saved before Fiber's error handler answers",
		}},
		{fiberharness.New(fiberStops), mutants.Mutant{
			Name: "fiber stops at the handler's error", Check: "adapter/handler-error",
			Defect: "a handler that returns an error saves no session",
		}},
		{fiberharness.New(fiberCookie), mutants.Mutant{
			Name: "fiber sets cookies its own way", Check: "cookie/attributes",
			Defect: "Set-Cookie goes through fiber.Ctx.Cookie, which drops attributes",
		}},
	}
	table := make([]mutants.Mutant, len(all))
	tripped := make([][]string, len(all))
	t.Run("mutants", func(t *testing.T) {
		for i, m := range all {
			table[i] = m.Mutant
			t.Run(m.Name, func(t *testing.T) {
				t.Parallel()
				var reasons strings.Builder
				for _, r := range conformance.RunAdapter(t.Context(), m.adapter).Results {
					if r.Outcome == conformance.Failed {
						tripped[i] = append(tripped[i], r.Check)
						reasons.WriteString(r.Check + ": " + r.Reason + "\n")
					}
				}
				if *update {
					return
				}
				for _, problem := range golden.Diff(m.Mutant, tripped[i]) {
					t.Error(problem)
				}
				if t.Failed() {
					t.Logf("defect: %s\n%s", m.Defect, reasons.String())
				}
			})
		}
	})
	known := func(id string) bool {
		return slices.ContainsFunc(conformance.Checks(),
			func(c conformance.Check) bool { return c.ID == id })
	}
	if !*update {
		for _, problem := range golden.Stale(table, known) {
			t.Errorf("%s: %s; run go test -run Mutants -update", file, problem)
		}
		return
	}
	for i, m := range table {
		if err := golden.Update(m, tripped[i]); err != nil {
			t.Error(err)
		}
	}
	golden.Prune(table, known)
	if err := golden.Write(file, table); err != nil {
		t.Error(err)
	}
}

// begin begins a request on net/http.
func begin(l *adapters.Lifecycle, r *http.Request) (*adapters.Request, error) {
	return l.BeginHTTP(r)
}

type (
	ginMiddleware   = func(*scs.SessionManager, ...adapters.Option) gin.HandlerFunc
	echoMiddleware  = func(*scs.SessionManager, ...adapters.Option) echo.MiddlewareFunc
	fiberMiddleware = func(*scs.SessionManager, ...adapters.Option) fiber.Handler
)

func ginWith(
	wrap func(below gin.ResponseWriter, w *adapters.Writer) gin.ResponseWriter,
	leave func(c *gin.Context, below gin.ResponseWriter, w *adapters.Writer),
) ginMiddleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) gin.HandlerFunc {
		l := adapters.NewLifecycle(sm, opts...)
		return func(c *gin.Context) {
			req, err := begin(l, c.Request)
			if err != nil {
				_ = c.AbortWithError(http.StatusInternalServerError, err)
				return
			}
			if req.Idle() {
				c.Next()
				return
			}
			below := c.Writer
			w := adapters.NewWriter(below, req)
			c.Writer = wrap(below, w)
			c.Request = c.Request.WithContext(req.Context())
			defer leave(c, below, w)
			c.Next()
			if err := w.Finish(); err != nil {
				_ = c.AbortWithError(http.StatusInternalServerError, err)
			}
		}
	}
}

type ginWriter struct {
	gin.ResponseWriter
	w *adapters.Writer
}

func (g ginWriter) Write(b []byte) (int, error) { return g.w.Write(b) }

func ginWriteOnly(sm *scs.SessionManager, opts ...adapters.Option) gin.HandlerFunc {
	return ginWith(func(below gin.ResponseWriter, w *adapters.Writer) gin.ResponseWriter {
		return ginWriter{below, w}
	}, func(c *gin.Context, below gin.ResponseWriter, w *adapters.Writer) {
		w.Disarm()
		c.Writer = below
	})(sm, opts...)
}

type ginFullWriter struct{ ginWriter }

func (g ginFullWriter) WriteString(s string) (int, error) { return g.w.WriteString(s) }

func (g ginFullWriter) Flush() { _ = g.w.FlushError() }

func (g ginFullWriter) WriteHeaderNow() {
	if g.w.Commit() {
		g.ResponseWriter.WriteHeaderNow()
	}
}

func ginKeepsWriter(sm *scs.SessionManager, opts ...adapters.Option) gin.HandlerFunc {
	return ginWith(func(below gin.ResponseWriter, w *adapters.Writer) gin.ResponseWriter {
		return ginFullWriter{ginWriter{below, w}}
	}, func(*gin.Context, gin.ResponseWriter, *adapters.Writer) {})(sm, opts...)
}

func ginPutsBack(sm *scs.SessionManager, opts ...adapters.Option) gin.HandlerFunc {
	return ginWith(func(below gin.ResponseWriter, w *adapters.Writer) gin.ResponseWriter {
		return ginFullWriter{ginWriter{below, w}}
	}, func(c *gin.Context, below gin.ResponseWriter, w *adapters.Writer) {
		w.Disarm()
		c.Writer = below
	})(sm, opts...)
}

// echoUse handles a request that has a session.
type echoUse func(
	l *adapters.Lifecycle, req *adapters.Request, c echo.Context, next echo.HandlerFunc,
) error

func echoWith(use echoUse) echoMiddleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) echo.MiddlewareFunc {
		l := adapters.NewLifecycle(sm, opts...)
		return func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				req, err := begin(l, c.Request())
				switch {
				case err != nil:
					return err
				case req.Idle():
					return next(c)
				}
				c.SetRequest(c.Request().WithContext(req.Context()))
				return use(l, req, c, next)
			}
		}
	}
}

// echoTrusts assumes that the response still has its own writer after the handler.
var echoTrusts = echoWith(func(
	l *adapters.Lifecycle, req *adapters.Request, c echo.Context, next echo.HandlerFunc,
) error {
	res := c.Response()
	below := res.Writer
	w := adapters.NewWriter(below, req)
	res.Writer = w.Handler()
	returned := false
	defer func() {
		if !returned {
			w.Disarm()
			res.Writer = below
		}
	}()
	err := next(c)
	returned = true
	if err != nil && !w.Settled() {
		w.Leave(func(below http.ResponseWriter, err error) { l.HandleError(below, c.Request(), err) })
		return err
	}
	if failed := w.Finish(); failed != nil {
		res.Committed, res.Size, res.Status = false, 0, http.StatusOK
		return failed
	}
	return err
})

var echoBefore = echoWith(func(
	_ *adapters.Lifecycle, req *adapters.Request, c echo.Context, next echo.HandlerFunc,
) error {
	c.Response().Before(func() { _ = req.Finish(c.Response().Header()) })
	err := next(c)
	req.End()
	return err
})

// echoEager commits even if the handler returns an error, as a net/http middleware does under
// echo.WrapMiddleware.
var echoEager = echoWith(func(
	_ *adapters.Lifecycle, req *adapters.Request, c echo.Context, next echo.HandlerFunc,
) error {
	w := adapters.NewWriter(c.Response().Writer, req)
	c.Response().Writer = w.Handler()
	err := next(c)
	if failed := w.Finish(); failed != nil {
		return failed
	}
	return err
})

func fiberWith(
	header func(c *fiber.Ctx) adapters.Header,
	finish func(c *fiber.Ctx, res *adapters.Response, err error) error,
) fiberMiddleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) fiber.Handler {
		l := adapters.NewLifecycle(sm, opts...)
		return func(c *fiber.Ctx) error {
			method, path := strings.Clone(c.Method()), string(c.Context().URI().Path())
			req, err := l.Begin(c.UserContext(), method, path, fiberIncoming{c})
			if err != nil {
				return fiber.ErrInternalServerError
			}
			if req.Idle() {
				return c.Next()
			}
			res := adapters.NewResponse(header(c), req)
			c.SetUserContext(req.Context())
			return finish(c, res, c.Next())
		}
	}
}

type fiberIncoming struct{ c *fiber.Ctx }

func (in fiberIncoming) Header(name string) []string {
	var lines []string
	for _, line := range in.c.Request().Header.PeekAll(name) {
		lines = append(lines, string(line))
	}
	return lines
}

func (in fiberIncoming) TLS() bool { return in.c.Context().IsTLS() }

func (in fiberIncoming) Host() string { return string(in.c.Context().Host()) }

func fiberHeader(c *fiber.Ctx) adapters.Header { return &c.Response().Header }

// send finishes a request as the adapter does.
func send(c *fiber.Ctx, res *adapters.Response) error {
	if err := res.Finish(); err != nil {
		c.Response().ResetBody()
		return fiber.ErrInternalServerError
	}
	return nil
}

func fiberReturns(sm *scs.SessionManager, opts ...adapters.Option) fiber.Handler {
	return fiberWith(fiberHeader, func(c *fiber.Ctx, res *adapters.Response, err error) error {
		if failed := send(c, res); failed != nil {
			return failed
		}
		return err
	})(sm, opts...)
}

func fiberStops(sm *scs.SessionManager, opts ...adapters.Option) fiber.Handler {
	return fiberWith(fiberHeader, func(c *fiber.Ctx, res *adapters.Response, err error) error {
		if err != nil {
			return err
		}
		return send(c, res)
	})(sm, opts...)
}

// cookieHeader sets cookies with Fiber's API.
type cookieHeader struct {
	adapters.Header
	c *fiber.Ctx
}

func (h cookieHeader) Add(name, value string) {
	parsed, err := http.ParseSetCookie(value)
	if name != "Set-Cookie" || err != nil {
		h.Header.Add(name, value)
		return
	}
	sameSite := map[http.SameSite]string{
		http.SameSiteLaxMode:  "Lax",
		http.SameSiteNoneMode: "None",
	}
	h.c.Cookie(&fiber.Cookie{
		Name: parsed.Name, Value: parsed.Value, Path: parsed.Path, Domain: parsed.Domain,
		MaxAge: parsed.MaxAge, Expires: parsed.Expires,
		Secure: parsed.Secure, HTTPOnly: parsed.HttpOnly,
		SameSite: sameSite[parsed.SameSite],
	})
}

func fiberCookie(sm *scs.SessionManager, opts ...adapters.Option) fiber.Handler {
	header := func(c *fiber.Ctx) adapters.Header { return cookieHeader{fiberHeader(c), c} }
	return fiberWith(header, func(c *fiber.Ctx, res *adapters.Response, err error) error {
		if err != nil {
			err = c.App().ErrorHandler(c, err)
		}
		if failed := send(c, res); failed != nil {
			return failed
		}
		return err
	})(sm, opts...)
}
