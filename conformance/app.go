package conformance

import (
	"context"
	"io"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// App is the application that a harness builds with its framework for one check. The fields are in
// the order in which a harness uses them. A nil or zero field stands for the framework's default.
type App struct {
	// Sessions is the manager of the adapter's middleware, and Options are the options of the
	// middleware. The middleware runs for every request, including those that match no route. Building
	// it panics if the manager is unusable; Adapter.Serve must not recover that panic.
	Sessions *scs.SessionManager
	Options  []adapters.Option

	// Second is another manager, or nil. Its middleware has no options and is directly inside that of
	// Sessions.
	Second *scs.SessionManager

	// Recover is the place of the framework's own recovery middleware, which answers with status 500:
	// Outside all session middleware, or Inside. Handlers panic only if there is one. Layers puts the
	// middleware of these fields in order.
	Recover Placement

	// Neighbour is another middleware, one of Adapter.Neighbours, and Beside is its place: outside all
	// session middleware but inside recovery that is outside, or innermost. If Beside is zero there is
	// none. Layers puts the middleware of these fields in order.
	Neighbour Neighbour
	Beside    Placement

	// Nested puts the routes in a group that has the middleware of Sessions and Options again. The
	// pages NotFound and NotAllowed are not in the group.
	Nested bool

	// Routes are the routes of the application. Their paths are literal. All other methods of a path
	// are not allowed.
	Routes []Route

	// NotFound and NotAllowed are the pages for unknown paths and for methods that a known path does
	// not have. They set the status themselves, and the session middleware runs before them.
	NotFound, NotAllowed Handler

	// OnError is the error handler of the application, installed as the framework provides. It gets
	// the errors that handlers return, and the errors of an adapter that leaves them to the framework;
	// an adapter for net/http passes those to the manager's ErrorFunc. It answers once for a request.
	// If it is nil, or returns an error, the framework's default answers, with status 500.
	OnError func(c Context, err error) error
}

// Placement is the place of a middleware, relative to the session middleware.
type Placement uint8

// The placements. The zero value stands for no middleware.
const (
	Outside Placement = iota + 1
	Inside
)

// Neighbour is a kind of middleware that applications use beside the session middleware.
type Neighbour string

// The neighbours. Each is part of the framework or widely used with it, with its usual settings.
const (
	Compress Neighbour = "compress" // compresses text with gzip for clients that accept it
	Timeout  Neighbour = "timeout"  // answers when a handler takes too long; give it minutes
	Abandon  Neighbour = "abandon"  // answers while a handler goes on; see Abandonable
	Dump     Neighbour = "dump"     // reads responses as they pass
	Log      Neighbour = "log"      // logs requests; discard the log
	Secure   Neighbour = "secure"   // sets headers that protect browsers
	ETag     Neighbour = "etag"     // sets an ETag, computed from the body
	Files    Neighbour = "files"    // serves StaticFiles, and passes on all other requests
	Forward  Neighbour = "forward"  // no middleware: the Context is a Forwarder
	Proxy    Neighbour = "proxy"    // no middleware: the Context is a Mounter
)

// Route is one route of an application.
type Route struct {
	Method, Path string
	Handler      Handler

	// Guard, unless it is nil, is a middleware of this route only, inside all others. It answers and
	// ends the chain as the framework provides: Handler must not run.
	Guard Handler
}

// Handler answers a request, in the place of a handler of the framework. The harness turns an error
// that it returns into that handler's error: it returns it, or records it for error handlers, with
// status 500 if there is none. A Handler may also return nil without an answer, which the framework
// answers with status 200 and no body.
type Handler func(Context) error

// Context is the request of a Handler, and its response. A harness implements it with the
// framework's own means, because the checks are about them. It also implements those of Renderer,
// Streamer, Upgrader, Hinter, Mounter, Forwarder and Resetter that the framework supports. Checks
// that need a missing one do not apply.
type Context interface {
	// Context returns the context of the request, for the methods of the manager: the one that the
	// session middleware has set.
	Context() context.Context

	// Query returns a parameter of the URL's query, decoded, or "" if it is missing. The string may
	// point into a buffer of the framework: it is not used after the request.
	Query(name string) string

	// SetHeader sets a header of the response and replaces any of the same name. A Set-Cookie is sent
	// as it is.
	SetHeader(name, value string)

	// Send answers with the status and with body as plain text. If body is empty it sends only the
	// status.
	Send(status int, body string) error
}

// Renderer is a Context with the framework's response helpers.
type Renderer interface {
	JSON(status int, v any) error // as application/json
	// The content of a file on the server, named by an absolute path.
	File(name string) error
	Redirect(status int, url string) error // with url, which has no host, as Location
}

// Streamer is a Context that can send its response in parts.
type Streamer interface {
	// Stream answers with status 200, the headers set so far, and what write writes. When flush
	// returns, all that was written before is on its way to the client. Stream may return before write
	// is called, so write must not use the Context.
	Stream(write func(w io.Writer, flush func() error) error) error
}

// Upgrader is a Context that can hijack its connection.
type Upgrader interface {
	// Upgrade answers with status 101, the headers set so far, and the headers of a switch to the
	// protocol. Then serve gets the connection, which is closed when serve returns. Upgrade may return
	// before serve is called. For a framework that hands out the bare connection, as net/http does,
	// the function Upgrade does the rest.
	Upgrade(protocol string, serve func(conn io.ReadWriter)) error
}

// Hinter is a Context that can send informational responses.
type Hinter interface {
	// EarlyHints sends a response with status 103 and the Link header, before the final one.
	EarlyHints(link string) error
}

// Mounter is a Context that can pass its request to a net/http handler.
type Mounter interface {
	// Mount lets h answer. The context of h's request is that of Context.
	Mount(h http.Handler) error
}

// Forwarder is a Context that can send its request through the framework again, for another path.
// It is used if the harness lists Forward among its neighbours.
type Forwarder interface {
	// Forward lets the route of path answer, with its middleware.
	Forward(path string) error
}

// Resetter is a Context that can take its response back, including headers, while nothing is sent.
// Only error handlers use it. Do not implement it for a framework whose error handlers are outside
// the session middleware: they would take the session cookie back.
type Resetter interface {
	Reset()
}
