package adapters

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"
)

// hostPrefix begins the name of a cookie that browsers accept only from the host itself: RFC
// 6265bis, section 4.1.3.2.
const hostPrefix = "__Host-"

// HostCookie makes the session cookie a host cookie: its name begins with "__Host-", it is Secure,
// its Path is "/", and it has no Domain. Browsers then refuse a cookie of that name which another
// host of the domain sets, or a connection without TLS. So nobody there can give a visitor a
// session of theirs (session fixation).
//
// It is recommended wherever browsers use HTTPS. If the manager's Cookie.Name is "session", the
// cookie is "__Host-session"; the manager itself is not changed. Visitors who have a cookie of the
// former name are signed out once.
//
// Building the middleware panics if the manager's Cookie has a Domain or another Path, or if the
// store keeps sessions in cookies and its Options.CookieName is not the new name. CookiePerRequest
// may not set a Domain then.
func HostCookie() Option {
	return func(o *options) { o.hostCookie = true }
}

// makeHostCookie changes the settings to those of a host cookie.
func makeHostCookie(c *scs.SessionCookie) error {
	switch {
	case c.Domain != "":
		return fmt.Errorf("the option HostCookie is set, but SessionManager.Cookie.Domain is %q: leave "+
			"it empty, since such a cookie is for one host", c.Domain)
	case c.Path != "" && c.Path != "/":
		return fmt.Errorf("the option HostCookie is set, but SessionManager.Cookie.Path is %q: set "+
			"\"/\", since such a cookie is for the whole host", c.Path)
	case c.Name == "":
		return errors.New("SessionManager.Cookie.Name is empty: set one, such as session")
	case strings.HasPrefix(strings.ToLower(c.Name), "__secure-"):
		return fmt.Errorf("the option HostCookie is set, but SessionManager.Cookie.Name is %q: leave "+
			"the prefix out", c.Name)
	}
	if !strings.HasPrefix(strings.ToLower(c.Name), strings.ToLower(hostPrefix)) {
		c.Name = hostPrefix + c.Name
	}
	c.Path, c.Secure = "/", true
	return nil
}

// Connection is what a function of CookiePerRequest knows about a request: what the server itself
// has seen. It has nothing from headers such as X-Forwarded-Proto, which any client can send.
type Connection struct {
	// TLS reports whether the server received the request on a TLS connection. It is false behind a
	// proxy that ends TLS.
	TLS bool

	// Host is the host of the request in lower case, with its port if it has one. The client chooses
	// it: compare it with the hosts that you know.
	Host string
}

// CookieAttributes are the attributes of the session cookie that may differ between requests. They
// mean the same as in scs.SessionCookie.
type CookieAttributes struct {
	Domain      string
	Secure      bool
	SameSite    http.SameSite
	Partitioned bool
}

// CookiePerRequest sets a function that returns the attributes of the session cookie for a request.
// a has the attributes of the manager's Cookie. ctx is the context that the middleware got. If your
// own middleware outside knows which proxies to trust, let it put what they say into the context:
//
//	adapters.CookiePerRequest(func(
//		ctx context.Context, conn adapters.Connection, a adapters.CookieAttributes,
//	) adapters.CookieAttributes {
//		a.Secure = conn.TLS || proxy.EndedTLS(ctx)
//		return a
//	})
//
// The function is called once for each request, before the session is loaded, and must be safe for
// concurrent use. The cookie that sets a session and the one that deletes it get the same
// attributes. A browser deletes its cookie only if Domain and Partitioned are those with which it
// was set, so return the same for all requests to a host.
//
// If browsers would drop a cookie with these attributes, the request fails before its handler runs,
// with or without FailOpen. This is so for a Domain that is no domain name, and without Secure for
// SameSite=None, for Partitioned, and for a cookie whose name begins with "__Host-" or "__Secure-".
func CookiePerRequest(
	f func(ctx context.Context, conn Connection, a CookieAttributes) CookieAttributes,
) Option {
	return func(o *options) { o.cookiePerRequest = f }
}

// decideCookie calls the function of CookiePerRequest.
func (r *Request) decideCookie(ctx context.Context, in Incoming) (err error) {
	defer func() {
		if p := recover(); p != nil { // under Fiber, the panic would end the process
			err = fmt.Errorf("CookiePerRequest panicked with a %T", p)
		}
	}()
	conn := Connection{TLS: in.TLS(), Host: strings.ToLower(in.Host())}
	m := r.l.sm.Cookie
	a := r.l.opts.cookiePerRequest(ctx, conn,
		CookieAttributes{m.Domain, m.Secure, m.SameSite, m.Partitioned})
	r.attributes = &a
	const setting = "CookiePerRequest: "
	c := r.baseCookie()
	if err := validateAttributes(c, setting, ""); err != nil {
		return err
	}
	if a.Domain != "" && (c.Valid() != nil || len(a.Domain) > maxAttributeBytes) {
		return fmt.Errorf(setting+"Domain is %.100q, which is no domain: return one such as "+
			"example.com, without a port, or none", a.Domain)
	}
	return nil
}

// baseCookie returns a cookie with the attributes for the request.
func (r *Request) baseCookie() *http.Cookie {
	c := baseCookie(r.l.sm)
	if a := r.attributes; a != nil {
		c.Domain, c.Secure, c.SameSite, c.Partitioned = a.Domain, a.Secure, a.SameSite, a.Partitioned
	}
	return c
}
