package conformance

import (
	"context"
	"io"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// App is the application that a harness makes with its framework for a check. The fields are in
// the order in which a harness meets them. What is nil or zero is left to the framework's
// defaults.
type App struct {
	// Sessions is the manager that the adapter's middleware is made for, with Options. The
	// middleware is for every request, also those that no route answers. Making it
	// panics if the manager is unusable, and Adapter.Serve must let that panic out.
	Sessions *scs.SessionManager
	Options  []adapters.Option

	// Second is another manager, with middleware of its own, without options, right inside that of
	// Sessions.
	Second *scs.SessionManager

	// Recover is where the framework's own recovery middleware goes, which answers status 500:
	// Outside of all session middleware, or Inside. Only where there is one do handlers panic.
	// Layers returns the middleware of these fields in its order.
	Recover Placement

	// Neighbour is another middleware of the framework, one of the Adapter's Neighbours, and Beside
	// is where it goes: outside of all session middleware but inside recovery that is there, too,
	// or innermost. The placement zero leaves it out.
	// Layers returns the middleware of these fields in its order.
	Neighbour Neighbour
	Beside    Placement

	// Nested says that the routes are in a group, which has the middleware of Sessions and Options
	// once more. The pages for what no route answers are not in it.
	Nested bool

	// Routes are the application's routes. Their paths are literal. Other methods
	// of a route's path are not allowed.
	Routes []Route

	// NotFound and NotAllowed are the pages for unknown paths and for methods that a known
	// path does not have. They choose the status themselves, and session
	// middleware comes before them as before any route.
	NotFound, NotAllowed Handler

	// OnError is the application's error handler, in whatever way the framework takes one. It gets
	// the errors that handlers return, and those of the adapter that the framework is to
	// answer; an adapter for net/http gives those to the manager's ErrorFunc. It
	// answers once for a request. Where it is nil, or returns an error, the framework's default
	// answers, with status 500.
	OnError func(c Context, err error) error
}

// Placement is where a middleware goes, relative to that of the session.
type Placement uint8

// The placements. The zero value leaves the middleware out.
const (
	Outside Placement = iota + 1
	Inside
)

// Neighbour is a kind of middleware that applications have beside that of the session.
type Neighbour string

// The neighbours: what comes with the framework, or is in wide use with it, in its usual setting.
const (
	Compress Neighbour = "compress" // sends text as gzip to a client that accepts it
	Timeout  Neighbour = "timeout"  // answers when a handler takes too long; give it minutes
	Abandon  Neighbour = "abandon"  // answers while a handler goes on; see Abandonable
	Dump     Neighbour = "dump"     // reads responses as they pass
	Log      Neighbour = "log"      // logs requests; to nowhere
	Secure   Neighbour = "secure"   // sets headers that protect browsers
	ETag     Neighbour = "etag"     // sets an ETag made from the body
	Files    Neighbour = "files"    // serves StaticFiles, and passes on what is not among them
	Forward  Neighbour = "forward"  // no middleware: the Context is a Forwarder
	Proxy    Neighbour = "proxy"    // no middleware: the Context is a Mounter
)

// Route is one route of an application.
type Route struct {
	Method, Path string
	Handler      Handler

	// Guard, if it is set, is a middleware of this route alone, inside all others. It ends the
	// chain as the framework has it done: it answers, and Handler must not run.
	Guard Handler
}

// Handler answers a request, as a handler of the framework. An error that it returns is that
// handler's error, in the framework's way: returned, or noted for error handlers to find, with
// status 500 if none does. A Handler may also return without an answer: the framework's is
// status 200 and no body.
type Handler func(Context) error

// Context is what a handler gets of its request. A harness implements it over its framework's
// own, and beside it as many of Renderer, Streamer, Upgrader, Hinter, Mounter, Forwarder and
// Resetter as the framework has means for. Where one is missing, the checks that need it do not
// apply. Methods use the framework's own means, since those are what is checked.
type Context interface {
	// Context returns the request's context, for the manager's methods: the one that the session
	// middleware has put in the request.
	Context() context.Context

	// Query returns a parameter of the URL's query, decoded, and "" if it is missing. It may be
	// a view of a buffer: nobody keeps it beyond the request.
	Query(name string) string

	// SetHeader sets a header of the response, in place of any of its name. A Set-Cookie is sent as
	// it is.
	SetHeader(name, value string)

	// Send answers with a status and plain text; with the status and no more if body is empty.
	Send(status int, body string) error
}

// Renderer is a Context with the framework's helpers for responses.
type Renderer interface {
	JSON(status int, v any) error          // as application/json
	File(name string) error                // the content of a file of the server, by an absolute path
	Redirect(status int, url string) error // with url, which has no host, as its Location
}

// Streamer is a Context whose response can be sent bit by bit.
type Streamer interface {
	// Stream answers with status 200, the headers set so far, and what write writes. What was
	// written before flush is on its way to the client when flush returns. Stream may return before
	// write is called, so that write must not use the Context.
	Stream(write func(w io.Writer, flush func() error) error) error
}

// Upgrader is a Context that can give its connection away.
type Upgrader interface {
	// Upgrade answers with status 101, the headers set so far, and what a switch to
	// the protocol needs; serve then gets the connection, which is closed when it returns. Upgrade
	// may return before serve is called. Where the framework gives the bare connection, as
	// net/http does, the function Upgrade does the rest.
	Upgrade(protocol string, serve func(conn io.ReadWriter)) error
}

// Hinter is a Context that can send informational responses.
type Hinter interface {
	// EarlyHints sends a response with status 103 and a Link header, before the final one.
	EarlyHints(link string) error
}

// Mounter is a Context that can pass a request on to a handler of net/http.
type Mounter interface {
	// Mount has h answer. The context of h's request is that of Context.
	Mount(h http.Handler) error
}

// Forwarder is a Context that, if the harness lists Forward among its neighbours, can send its
// request through the framework once more, as another's.
type Forwarder interface {
	// Forward has the route of path answer, inside its middleware.
	Forward(path string) error
}

// Resetter is a Context whose response can be taken back, headers and all, as
// long as nothing was sent. Only error handlers do so. It is not for frameworks that have their
// error handlers outside of the session middleware: these would take the session's cookie back.
type Resetter interface {
	Reset()
}
