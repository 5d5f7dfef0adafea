package conformance

import (
	"crypto/tls"
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

func adapterOptionMutants() []mutant {
	return []mutant{
		adapterMutant("cookie-beside-header", "transport/header",
			"a token in a header comes with a cookie",
			edited(func(sm *scs.SessionManager, _ *http.Request, h http.Header) {
				if token := h.Get(tokenHeader); token != "" {
					h.Add("Set-Cookie", sm.Cookie.Name+"="+token+"; Path=/")
				}
			})),
		adapterMutant("no-authorization", "transport/bearer",
			"the lifecycle does not get the Authorization header",
			requests(func(_ *scs.SessionManager, r *http.Request) { r.Header.Del("Authorization") })),
		adapterMutant("first-transport-only", "transport/both",
			"if there is a cookie, headers do not count",
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if len(r.CookiesNamed(sm.Cookie.Name)) > 0 {
					r.Header.Del(tokenHeader)
					r.Header.Del("Authorization")
				}
			})),
		adapterMutant("failure-ends-session", "transport/failure",
			"if the session cannot be stored, the client is told to forget its token",
			life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
				r *http.Request, next http.Handler) {
				sw := adapters.NewWriter(w, req)
				sw.Serve(func() { next.ServeHTTP(sw.Handler(), r) })
				if err := sw.Finish(); err != nil {
					w.Header().Set(tokenHeader, "")
					l.HandleError(w, r, err)
				}
			})),
		adapterMutant("asks-for-anything", "token/oversized",
			"the store is asked for a cookie of any length",
			requests(func(sm *scs.SessionManager, r *http.Request) {
				for _, c := range r.CookiesNamed(sm.Cookie.Name) {
					if len(c.Value) > 512 {
						_, _, _ = sm.Store.Find(c.Value)
					}
				}
			})),
		adapterMutant("host-cookie-anywhere", "cookie/host",
			"a cookie with the prefix __Host- is not Secure",
			edited(func(_ *scs.SessionManager, _ *http.Request, h http.Header) {
				for i, line := range h["Set-Cookie"] {
					if strings.HasPrefix(line, "__Host-") {
						h["Set-Cookie"][i] = strings.Replace(line, "; Secure", "", 1)
					}
				}
			})),
		adapterMutant("trusts-forwarded-proto", "cookie/per-request",
			"X-Forwarded-Proto of any client counts as TLS",
			requests(func(_ *scs.SessionManager, r *http.Request) {
				if r.Header.Get("X-Forwarded-Proto") == "https" {
					r.TLS = new(tls.ConnectionState)
				}
			})),
		adapterMutant("trusts-forwarded-host", "cookie/per-request",
			"X-Forwarded-Host of any client counts as the host",
			requests(func(_ *scs.SessionManager, r *http.Request) {
				if host := r.Header.Get("X-Forwarded-Host"); host != "" {
					r.Host = host
				}
			})),
		adapterMutant("runs-without-cookie", "cookie/per-request-bad",
			"if browsers would drop the cookie, the handler runs without a session", runsWithoutCookie),
		adapterMutant("varies-by-cookie-alone", "transport/headers",
			"Vary does not name the headers of tokens",
			edited(func(_ *scs.SessionManager, _ *http.Request, h http.Header) {
				if strings.Contains(h.Get("Vary"), "Authorization") {
					h.Set("Vary", "Cookie")
				}
			})),
		adapterMutant("first-line-only", "transport/headers",
			"of two lines of a header the first counts",
			requests(func(_ *scs.SessionManager, r *http.Request) {
				if lines := r.Header[tokenHeader]; len(lines) > 1 {
					r.Header[tokenHeader] = lines[:1]
				}
			})),
		adapterMutant("always-clears-data", "adapter/clear-site-data",
			"every response that sets a cookie clears the data of the site",
			edited(func(_ *scs.SessionManager, _ *http.Request, h http.Header) {
				if h.Get("Set-Cookie") != "" {
					h.Set("Clear-Site-Data", `"cache", "storage"`)
				}
			})),
	}
}

// runsWithoutCookie runs the handler although CookiePerRequest has returned bad attributes.
func runsWithoutCookie(
	sm *scs.SessionManager, opts ...adapters.Option,
) func(http.Handler) http.Handler {
	l := adapters.NewLifecycle(sm, opts...)
	session := plain(sm, opts...)
	return func(next http.Handler) http.Handler {
		inner := session(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := l.Begin(r.Context(), r.Method, r.URL.Path, bare{r})
			if err != nil && strings.Contains(err.Error(), "CookiePerRequest") {
				next.ServeHTTP(w, r)
				return
			}
			inner.ServeHTTP(w, r)
		})
	}
}

// bare is a request without headers.
type bare struct{ r *http.Request }

func (bare) Header(string) []string { return nil }

func (b bare) TLS() bool { return b.r.TLS != nil }

func (b bare) Host() string { return b.r.Host }
