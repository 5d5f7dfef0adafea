package conformance

import (
	"bufio"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// editor is a writer, below the adapter, that changes the headers of responses.
type editor struct {
	http.ResponseWriter
	edit func(h http.Header)
	done bool
}

func (e *editor) apply() {
	if !e.done {
		e.done = true
		e.edit(e.Header())
	}
}

func (e *editor) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		e.apply()
	}
	e.ResponseWriter.WriteHeader(code)
}

func (e *editor) Write(b []byte) (int, error) {
	e.apply()
	return e.ResponseWriter.Write(b)
}

func (e *editor) Flush() {
	e.apply()
	e.ResponseWriter.(http.Flusher).Flush()
}

func (e *editor) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	e.apply()
	return e.ResponseWriter.(http.Hijacker).Hijack()
}

func (e *editor) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// edited is the plain adapter with changed response headers.
func edited(edit func(sm *scs.SessionManager, r *http.Request, h http.Header)) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		session := plain(sm, opts...)
		return func(next http.Handler) http.Handler {
			next = session(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				e := &editor{ResponseWriter: w, edit: func(h http.Header) { edit(sm, r, h) }}
				next.ServeHTTP(e, r)
				e.apply()
			})
		}
	}
}

// lines is the plain adapter with changed session cookies. change returns the new Set-Cookie line,
// or "" for none.
func lines(change func(line string, deletes bool) string) Middleware {
	return edited(func(sm *scs.SessionManager, _ *http.Request, h http.Header) {
		var changed []string
		for _, line := range h["Set-Cookie"] {
			if c := parseCookie(line); c.name == sm.Cookie.Name {
				line = change(line, c.deletes())
			}
			if line != "" {
				changed = append(changed, line)
			}
		}
		if delete(h, "Set-Cookie"); len(changed) > 0 {
			h["Set-Cookie"] = changed
		}
	})
}

// without removes attributes from the cookies that delete, or from those that do not.
func without(deletes bool, attributes string) Middleware {
	re := regexp.MustCompile(`; (` + attributes + `)(=[^;]*)?`)
	return lines(func(line string, d bool) string {
		if d != deletes {
			return line
		}
		return re.ReplaceAllString(line, "")
	})
}

func adapterResponseMutants() []mutant {
	age := regexp.MustCompile(`Max-Age=(\d+)`)
	expires := regexp.MustCompile(`Expires=([^;]+)`)
	return []mutant{
		adapterMutant("correct", "", "", plain),
		adapterMutant("http-only-missing", "cookie/defaults",
			"the cookie is not HttpOnly",
			without(false, "HttpOnly")),
		adapterMutant("attribute-missing", "cookie/attributes",
			"the cookie is not Partitioned",
			without(false, "Partitioned")),
		adapterMutant("never-persistent", "cookie/remember-me",
			"the cookie has neither Expires nor Max-Age", without(false, "Expires|Max-Age")),
		adapterMutant("deletes-other-cookie", "cookie/deletion",
			"the cookie that deletes has another path and domain",
			without(true, "Path|Domain|Partitioned")),
		adapterMutant("always-persistent", "cookie/browser-session",
			"the cookie always has a Max-Age",
			lines(func(line string, _ bool) string {
				if strings.Contains(line, "Max-Age") {
					return line
				}
				return line + "; Max-Age=3600"
			})),
		adapterMutant("a-second-too-long", "cookie/max-age",
			"Max-Age is a second too long", lines(func(line string, _ bool) string {
				return age.ReplaceAllStringFunc(line, func(s string) string {
					n, _ := strconv.Atoi(strings.TrimPrefix(s, "Max-Age="))
					if n == 0 {
						return s
					}
					return "Max-Age=" + strconv.Itoa(n+1)
				})
			})),
		adapterMutant("cookie-ends-first", "pair/cookie-expiry",
			"the cookie expires ten seconds before the record",
			lines(func(line string, deletes bool) string {
				return expires.ReplaceAllStringFunc(line, func(s string) string {
					e, _ := http.ParseTime(strings.TrimPrefix(s, "Expires="))
					if deletes {
						return s
					}
					return "Expires=" + e.Add(-10*time.Second).Format(http.TimeFormat)
				})
			})),
		adapterMutant("never-clears", "pair/stale-cookie",
			"no response deletes the cookie", lines(func(line string, deletes bool) string {
				if deletes {
					return ""
				}
				return line
			})),
		adapterMutant("only-cookie", "cookie/once",
			"the session cookie replaces every other Set-Cookie",
			edited(func(sm *scs.SessionManager, _ *http.Request, h http.Header) {
				if c := h["Set-Cookie"]; len(c) > 1 {
					h["Set-Cookie"] = c[len(c)-1:]
				}
			})),
		adapterMutant("cookie-always", "pair/unchanged",
			"every response sets the cookie",
			edited(func(sm *scs.SessionManager, r *http.Request, h http.Header) {
				if c, err := r.Cookie(sm.Cookie.Name); err == nil && h["Set-Cookie"] == nil {
					h.Add("Set-Cookie", c.Name+"="+c.Value+"; Path=/")
				}
			})),
		adapterMutant("cacheable", "cookie/no-store",
			"a response with a session cookie may be stored by caches",
			edited(func(_ *scs.SessionManager, _ *http.Request, h http.Header) {
				if h.Get("Cache-Control") == "no-store" {
					h.Set("Cache-Control", `no-cache="Set-Cookie"`)
				}
			})),
		adapterMutant("never-cacheable", "cookie/no-store",
			"no response may be stored by caches",
			edited(func(_ *scs.SessionManager, _ *http.Request, h http.Header) {
				h.Set("Cache-Control", "no-store")
			})),
		adapterMutant("no-vary", "cookie/vary",
			"there is no Vary header",
			edited(func(_ *scs.SessionManager, _ *http.Request, h http.Header) { h.Del("Vary") })),
		adapterMutant("always-varies", "adapter/lazy-untouched",
			"every response varies by cookie",
			edited(func(_ *scs.SessionManager, _ *http.Request, h http.Header) {
				if h.Get("Vary") == "" {
					h.Set("Vary", "Cookie")
				}
			})),
	}
}
