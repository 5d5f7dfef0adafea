package adapters

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// defaultTokenHeader is the response header of InBearer.
const defaultTokenHeader = "X-Session-Token"

// maxTokenBytes limits the length of a token that the store is asked for. It is the limit of
// scskit.Store, and more than ten times the length of a token of scs.
const maxTokenBytes = 512

// Transport is a way in which requests and responses carry the session token: InCookie, InHeader or
// InBearer. The zero Transport is InCookie.
type Transport struct {
	header   bool   // not in the cookie
	bearer   bool   // after a scheme
	request  string // the canonical name of the request's header
	response string // the canonical name of the response's header
}

// InCookie carries the token in the session cookie. It is for browsers, and the default.
func InCookie() Transport { return Transport{} }

// InHeader carries the token in a header of that name, such as X-Session-Token, in requests and in
// responses. See Tokens.
func InHeader(name string) Transport {
	name = http.CanonicalHeaderKey(name)
	return Transport{header: true, request: name, response: name}
}

// InBearer carries the token of a request in its Authorization header, as in "Authorization: Bearer
// TOKEN" (RFC 6750, section 2.1). Responses carry it in the header named response, or
// X-Session-Token if response is empty, since there is no standard one. See Tokens.
//
// Do not use InBearer if clients send other bearer tokens too, such as JSON web tokens: the store
// would be asked for them, and the response would call them unknown. Use InHeader.
func InBearer(response string) Transport {
	if response == "" {
		response = defaultTokenHeader
	}
	return Transport{true, true, "Authorization", http.CanonicalHeaderKey(response)}
}

// Tokens sets where requests and responses carry the session token, in place of InCookie alone.
// There are at most four transports, each once. Use it for clients that keep no cookies, such as
// mobile apps and programs:
//
//	adapters.Tokens(adapters.InCookie(), adapters.InHeader("X-Session-Token"))
//
// The values that the request has are tried in the order of the transports: one of each header, and
// of the cookies as many as four values leave. The transport in which the live session was found
// answers the request. If there is no live session, the first transport that the request has used
// answers, or else the first of Tokens. A header that is present but empty counts as used: with it
// a client without a token asks to get one by header.
//
// A response by header sets no session cookie. Instead it has the header
//
//   - with the token, if that is new or was renewed;
//   - empty, if the session was destroyed, or if the request's token is unknown: the client then
//     forgets its token;
//   - or not at all, if the client's token stays as it is.
//
// It is sent under the same conditions as the cookie: not if storing fails, and not if another
// request has destroyed or renewed the session meanwhile. As with a cookie, the response has
// Cache-Control: no-store. Every response that used the session has Vary with the name of each
// transport's request header. RememberMe and the settings of the manager's Cookie have no effect on
// headers: the client keeps a token for as long as it wants, and the session ends by its expiry.
//
// A header with several lines, or with a value that is not a token68 (RFC 9110, section 11.2) of at
// most 512 bytes, holds no token: the store is not asked for it, and the response calls it unknown.
//
// A token is never taken from the URL, where it would get into logs, histories and Referer headers
// (OWASP Session Management Cheat Sheet).
//
// Browsers send a header only if a script sets it. So another site cannot forge a request with the
// token, but a script of your site can read the token, which it cannot in an HttpOnly cookie.
// Scripts on other origins also need Access-Control-Allow-Headers for the request's header, and
// Access-Control-Expose-Headers for the response's.
//
// A store that keeps sessions in the cookie, such as cookiestore, works with InCookie alone.
func Tokens(transports ...Transport) Option {
	transports = slices.Clone(transports)
	return func(o *options) { o.transports, o.transportsSet = transports, true }
}

// inCookie reports whether the transport is InCookie.
func (t Transport) inCookie() bool { return !t.header }

// setTransports sets what follows from the options about the transports.
func (l *Lifecycle) setTransports() {
	if !l.opts.transportsSet {
		l.opts.transports = []Transport{InCookie()}
	}
	l.cookieValues = maxCandidates
	l.headers = append(l.headers, "Set-Cookie", "Cache-Control", "Vary")
	if l.opts.clearSiteData != "" {
		l.headers = append(l.headers, clearSiteData)
	}
	for _, t := range l.opts.transports {
		if t.inCookie() {
			l.vary = append(l.vary, "Cookie")
			continue
		}
		l.cookieValues--
		l.vary = append(l.vary, t.request)
		if !slices.Contains(l.headers, t.response) {
			l.headers = append(l.headers, t.response)
		}
	}
	l.varyLine = strings.Join(l.vary, ", ")
}

// hasCookie reports whether one of the transports is InCookie.
func (o *options) hasCookie() bool {
	return !o.transportsSet || slices.ContainsFunc(o.transports, Transport.inCookie)
}

// validateTransports returns an error that names the option and the fix.
func (l *Lifecycle) validateTransports(carries bool) error {
	o := &l.opts
	if !o.hasCookie() {
		switch {
		case o.hostCookie:
			return errors.New("the option HostCookie is set, but Tokens has no cookie: add InCookie to " +
				"Tokens, or leave HostCookie out")
		case o.cookiePerRequest != nil:
			return errors.New("the option CookiePerRequest is set, but Tokens has no cookie: add InCookie " +
				"to Tokens, or leave CookiePerRequest out")
		}
	}
	if !o.transportsSet {
		return nil
	}
	if n := len(o.transports); n == 0 || n > maxCandidates {
		return fmt.Errorf("the option Tokens has %d transports: pass one to four, such as InCookie", n)
	}
	for i, t := range o.transports {
		for _, other := range o.transports[:i] {
			if other.header == t.header && other.request == t.request {
				return fmt.Errorf("the option Tokens has two transports in the request header %q: remove one",
					l.vary[i])
			}
		}
		if t.inCookie() {
			continue
		}
		if carries {
			return fmt.Errorf("the option Tokens has the header %q, but the store keeps the session in the "+
				"cookie, where it is more than a token: use InCookie alone, or a store on a server", t.request)
		}
		if err := validateTokenHeader(t.response); err != nil {
			return err
		}
	}
	return nil
}

// validateTokenHeader refuses names of headers that cannot carry a token.
func validateTokenHeader(name string) error {
	switch {
	case name == "" || len(name) > 100 || !isMadeOf(name, "!#$%&'*+-.^_`|~"): // RFC 9110, 5.6.2
		return fmt.Errorf("the option Tokens has the header %.100q, which is no name of a header: use "+
			"one such as X-Session-Token", name)
	case name == "Authorization":
		return errors.New("the option Tokens has the header Authorization: use InBearer, whose " +
			"responses have a header of their own")
	case slices.Contains(reservedHeaders, name) || strings.HasPrefix(name, "Content-"):
		return fmt.Errorf("the option Tokens has the header %s, which has another meaning: use one such "+
			"as X-Session-Token", name)
	}
	return nil
}

// reservedHeaders mean something to servers, proxies or browsers.
var reservedHeaders = []string{
	"Accept", "Age", "Allow", "Cache-Control", "Clear-Site-Data", "Connection", "Cookie", "Date",
	"Etag", "Expires", "Host", "Keep-Alive", "Last-Modified", "Link", "Location", "Origin", "Pragma",
	"Proxy-Authorization", "Range", "Referer", "Refresh", "Server", "Set-Cookie", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "User-Agent", "Vary", "Via", "Www-Authenticate",
}

// sharesWith returns an error if a request's token could be one of either manager. Each would take
// the other's session for one that is gone, and make the client forget it.
func (l *Lifecycle) sharesWith(outer *Lifecycle) error {
	for _, t := range l.opts.transports {
		for _, o := range outer.opts.transports {
			switch {
			case t.inCookie() != o.inCookie():
			case t.inCookie():
				if l.sm.Cookie.Name == outer.sm.Cookie.Name {
					return errSharedCookie(l.sm.Cookie.Name)
				}
			case t.request == o.request || t.response == o.response:
				return fmt.Errorf("two session managers around one request share a header for tokens, %q: "+
					"give one of them other Tokens, or use one manager for both", t.response)
			}
		}
	}
	return nil
}

// collect notes the values of the request that may be tokens, and which transports it has used.
func (r *Request) collect(in Incoming) {
	first := len(r.l.opts.transports) // the first transport that is used
	for i, t := range r.l.opts.transports {
		var sent, used bool
		before := r.ntokens
		if t.inCookie() {
			sent = r.collectCookies(in.Header("Cookie"))
			used = sent
		} else {
			var token string
			if token, sent, used = t.find(in.Header(t.request)); token != "" {
				r.tokens[r.ntokens] = token
				r.ntokens++
			}
		}
		for n := before; n < r.ntokens; n++ {
			r.from[n] = uint8(i)
		}
		if sent {
			r.sent |= 1 << i
		}
		if used {
			first = min(first, i)
		}
	}
	if first < len(r.l.opts.transports) {
		r.via = uint8(first)
	}
}

// collectCookies notes the values of the session cookies. It reports whether there are any,
// including those that cannot be tokens.
func (r *Request) collectCookies(lines []string) (sent bool) {
	limit := maxTokenBytes
	if r.l.carrier != nil {
		limit = maxCookieBytes
	}
	free := r.tokens[r.ntokens:][:r.l.cookieValues]
	var n int
	n, r.moreCookies, sent = candidates(free, lines, r.l.sm.Cookie.Name, limit)
	r.ntokens += uint8(n)
	if r.l.carrier != nil {
		r.joinChunks(lines)
	}
	return sent
}

// find returns the token in the lines of the transport's header, or "". sent reports whether there
// is a value, and used whether the header is there, possibly empty.
func (t Transport) find(lines []string) (token string, sent, used bool) {
	switch len(lines) {
	case 0:
		return "", false, false
	case 1:
	default: // programs differ in which of the lines they take
		return "", true, true
	}
	value := textproto.TrimString(lines[0])
	if t.bearer {
		if value, used = credentials(value); !used {
			return "", false, false
		}
	}
	if !isToken(value) {
		return "", value != "", true
	}
	return value, true, true
}

// credentials returns what follows the scheme Bearer. ok is false for another scheme.
func credentials(value string) (token string, ok bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") { // in any case: RFC 9110, section 11.1
		return "", false
	}
	return strings.TrimLeft(rest, " "), true
}

// isToken reports whether s is a token68 that is not too long.
func isToken(s string) bool {
	if len(s) > maxTokenBytes {
		return false
	}
	s = strings.TrimRight(s, "=")
	return s != "" && isMadeOf(s, "-._~+/")
}

// isMadeOf reports whether s has only letters and digits of ASCII, and bytes of others.
func isMadeOf(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		letter, digit := 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9'
		if !letter && !digit && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// transport returns the transport that answers the request.
func (r *Request) transport() Transport { return r.l.opts.transports[r.via] }

// sendNone makes the client forget its token.
func (r *Request) sendNone(h http.Header) {
	if t := r.transport(); !t.inCookie() {
		t.set(h, "")
		return
	}
	r.setCookie(h, expiredCookie(r.baseCookie()))
}

// set sets the transport's header. No cache may store a response for one user.
func (t Transport) set(h http.Header, token string) {
	h[t.response] = []string{token}
	h.Set("Cache-Control", "no-store")
}
