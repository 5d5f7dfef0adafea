package conformance

import (
	"context"
	"io"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// App is the application that an adapter serves for a check. What is nil or zero is left to
// the framework's defaults.
type App struct {
	// Sessions is the manager that the adapter's middleware is made for, outside of all routes
	// and error pages, with Options.
	Sessions *scs.SessionManager
	Options  []adapters.Option

	// Second is another manager, whose middleware, without options, comes inside that of Sessions.
	Second *scs.SessionManager

	// Nested says that the routes are in a group that has the middleware of Sessions once more.
	Nested bool

	// Recover is where the framework's own recovery middleware goes. Only where there is one
	// do handlers panic.
	Recover Placement

	// Routes are the application's routes. Other methods of a route's path are not allowed.
	Routes []Route

	// NotFound and NotAllowed are the pages for unknown paths and for methods that a known
	// path does not have. They choose the status themselves.
	NotFound, NotAllowed Handler

	// OnError is the application's error handler, in whatever way the framework takes one. It gets
	// the errors of handlers and those of the adapter that the framework is to answer,
	// and must do so.
	OnError func(c Context, err error) error
}

// Placement is where a middleware goes, relative to that of the session.
type Placement uint8

// The placements. The zero value leaves the middleware out.
const (
	Outside Placement = iota + 1
	Inside
)

// Route is one route of an application.
type Route struct {
	Method, Path string
	Handler      Handler

	// Guard, if it is set, is a middleware of this route alone, and ends the chain as the framework
	// has it done: it answers, and Handler must not run.
	Guard Handler
}

// Handler answers a request, as a handler of the framework.
type Handler func(Context) error

// Context is what a handler gets of its request. A harness implements it over its framework's
// own, and beside it as many of Renderer, Streamer, Upgrader, Hinter, Mounter and
// Resetter as the framework has means for. Where one is missing, the checks that need it do not apply.
type Context interface {
	// Context returns the request's context, for the manager's methods.
	Context() context.Context

	// Query returns a parameter of the URL's query, and "" if it is missing.
	Query(name string) string

	// SetHeader sets a header of the response.
	SetHeader(name, value string)

	// Send answers with plain text; with a status and no more if body is empty.
	Send(status int, body string) error
}

// Renderer is a Context with the framework's helpers for responses.
type Renderer interface {
	JSON(status int, v any) error
	File(name string) error // the content of a file of the server
	Redirect(status int, url string) error
}

// Streamer is a Context whose response can be sent bit by bit.
type Streamer interface {
	// Stream answers with status 200 and what write writes. It may return before
	// write is called, so that write must not use the Context.
	Stream(write func(w io.Writer, flush func() error) error) error
}

// Upgrader is a Context that can give its connection away.
type Upgrader interface {
	// Upgrade answers with status 101, the headers set so far, and what a switch to
	// the protocol needs; serve then gets the connection, which is closed when it returns. Upgrade
	// may return before serve is called.
	Upgrade(protocol string, serve func(conn io.ReadWriter)) error
}

// Hinter is a Context that can send informational responses.
type Hinter interface {
	// EarlyHints sends a response with status 103 and a Link header, before the final one.
	EarlyHints(link string) error
}

// Mounter is a Context that can pass a request on to a handler of net/http.
type Mounter interface {
	Mount(h http.Handler) error
}

// Resetter is a Context whose response can be taken back, headers and all, as
// long as nothing was sent. Only error handlers do so.
type Resetter interface {
	Reset()
}
