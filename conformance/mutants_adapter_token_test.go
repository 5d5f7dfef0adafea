package conformance

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

func adapterTokenMutants() []mutant {
	return []mutant{
		adapterMutant("forgets-the-outer", "adapter/two-managers",
			"the context of the outer middleware is lost",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				session := plain(sm, opts...)
				return func(next http.Handler) http.Handler {
					next = session(next)
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(w, r.WithContext(blank{r.Context()}))
					})
				}
			}),
		adapterMutant("latest-wins", "pair/parallel-clients",
			"every handler gets the session of the request that began last", latestWins),
		adapterMutant("token-in-url", "token/cookie-only",
			"the query may carry the token",
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if token := r.URL.Query().Get("session"); token != "" {
					r.Header.Add("Cookie", sm.Cookie.Name+"="+token)
				}
			})),
		adapterMutant("name-in-any-case", "token/cookie-exact",
			"the cookie's name is compared without regard to case",
			requests(func(_ *scs.SessionManager, r *http.Request) {
				for i, line := range r.Header["Cookie"] {
					r.Header["Cookie"][i] = strings.Replace(line, "SESSION=", "session=", 1)
				}
			})),
		adapterMutant("first-cookie-only", "pair/duplicate-cookies",
			"of several session cookies only the first counts",
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if c := r.CookiesNamed(sm.Cookie.Name); len(c) > 1 {
					r.Header.Set("Cookie", c[0].Name+"="+c[0].Value)
				}
			})),
		adapterMutant("last-cookie-only", "pair/duplicate-cookies",
			"of several session cookies only the last counts",
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if c := r.CookiesNamed(sm.Cookie.Name); len(c) > 1 {
					r.Header.Set("Cookie", c[len(c)-1].Name+"="+c[len(c)-1].Value)
				}
			})),
		adapterMutant("adopts-tokens", "pair/unknown-token",
			"an unknown token gets a session", requests(func(sm *scs.SessionManager, r *http.Request) {
				c, err := r.Cookie(sm.Cookie.Name)
				if err != nil || len(c.Value) > 100 {
					return
				}
				if _, found, err := sm.Store.Find(c.Value); err == nil && !found {
					data, _ := sm.Codec.Encode(in(lifetime), nil)
					_ = sm.Store.Commit(c.Value, data, in(lifetime))
				}
			})),
		adapterMutant("small-tokens", "token/random",
			"tokens are consecutive numbers", smallTokens()),
	}
}

// latestWins gives every handler the session of the request that began last, as a reused buffer
// would.
func latestWins(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	var mu sync.Mutex
	var latest context.Context
	return life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
		r *http.Request, next http.Handler) {
		mu.Lock()
		latest = req.Context()
		mu.Unlock()
		ctx := &delegate{Context: req.Context(), to: func() context.Context {
			mu.Lock()
			defer mu.Unlock()
			return latest
		}}
		sw := adapters.NewWriter(w, req)
		defer sw.Disarm()
		next.ServeHTTP(sw.Handler(), r.WithContext(ctx))
		if err := sw.Finish(); err != nil {
			l.HandleError(w, r, err)
		}
	})(sm, opts...)
}

type delegate struct {
	context.Context
	to func() context.Context
}

func (d *delegate) Value(key any) any { return d.to().Value(key) }

// smallTokens sends consecutive numbers to clients instead of the tokens.
func smallTokens() Middleware {
	var mu sync.Mutex
	var tokens []string
	number := func(token string) string {
		mu.Lock()
		defer mu.Unlock()
		i := slices.Index(tokens, token)
		if i < 0 {
			i = len(tokens)
			tokens = append(tokens, token)
		}
		return "n" + strconv.Itoa(i)
	}
	token := func(number string) string {
		mu.Lock()
		defer mu.Unlock()
		i, err := strconv.Atoi(strings.TrimPrefix(number, "n"))
		if err != nil || i >= len(tokens) {
			return number
		}
		return tokens[i]
	}
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		session := lines(func(line string, deletes bool) string {
			if deletes {
				return line
			}
			c := parseCookie(line)
			return strings.Replace(line, c.value, number(c.value), 1)
		})(sm, opts...)
		return func(next http.Handler) http.Handler {
			next = session(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i, line := range r.Header["Cookie"] {
					if name, value, _ := strings.Cut(line, "="); name == sm.Cookie.Name {
						r.Header["Cookie"][i] = name + "=" + token(value)
					}
				}
				next.ServeHTTP(w, r)
			})
		}
	}
}
