package conformance

import (
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// isDead reports whether the request has a session cookie whose token has no session.
func isDead(sm *scs.SessionManager, r *http.Request) bool {
	c, err := r.Cookie(sm.Cookie.Name)
	if err != nil {
		return false
	}
	_, found, err := sm.Store.Find(c.Value)
	return err == nil && !found
}

func pairRenewalMutants() []mutant {
	all := []mutant{
		adapterMutant("clears-the-new-cookie", "pair/renewed-reader",
			"the response to a renewed token expires the cookie",
			edited(func(sm *scs.SessionManager, r *http.Request, h http.Header) {
				if isDead(sm, r) && len(h["Set-Cookie"]) == 0 {
					h.Add("Set-Cookie", sm.Cookie.Name+"=; Path=/; Max-Age=0")
				}
			})),
		adapterMutant("begins-anew", "pair/renewed-writer",
			"a request with a renewed token gets a session of its own",
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if isDead(sm, r) {
					r.Header.Del("Cookie")
				}
			})),
		adapterMutant("renewed-tokens-get-no-cookie", "pair/renewed-sign-in",
			"the response to a renewed token sets no cookie, also after a sign-in",
			edited(func(sm *scs.SessionManager, r *http.Request, h http.Header) {
				if r.URL.Path == "/signin" && isDead(sm, r) {
					h.Del("Set-Cookie")
				}
			})),
		adapterMutant("polls-sign-out", "pair/two-tabs",
			"the response of a request that was under way during a sign-in expires the cookie",
			edited(func(sm *scs.SessionManager, r *http.Request, h http.Header) {
				if r.URL.Path != "/keys" || len(h["Set-Cookie"]) > 0 {
					return
				}
				time.Sleep(20 * time.Millisecond)
				if isDead(sm, r) {
					h.Add("Set-Cookie", sm.Cookie.Name+"=; Path=/; Max-Age=0")
				}
			})),
		adapterMutant("renews-never", "pair/renew-every", "RenewEvery has no effect",
			func(sm *scs.SessionManager, _ ...adapters.Option) func(http.Handler) http.Handler {
				return plain(sm)
			}),
		adapterMutant("renews-for-each", "pair/renew-every-parallel",
			"each of several parallel requests that are due renews the session",
			func(sm *scs.SessionManager, _ ...adapters.Option) func(http.Handler) http.Handler {
				session := plain(sm)
				return func(next http.Handler) http.Handler {
					return session(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if strings.HasPrefix(r.URL.Path, "/slow") {
							_ = sm.RenewToken(r.Context())
						}
						next.ServeHTTP(w, r)
					}))
				}
			}),
	}
	all = append(all, adapterMutant("echoes-cookies", "pair/nothing-leaks",
		"a response header holds the request's cookies",
		edited(func(_ *scs.SessionManager, r *http.Request, h http.Header) {
			h.Set("X-Debug", r.Header.Get("Cookie"))
		})), adapterMutant("echoes-header-tokens", "pair/nothing-leaks",
		"a response header holds the token of the request's header",
		edited(func(_ *scs.SessionManager, r *http.Request, h http.Header) {
			h.Set("X-Debug", r.Header.Get(tokenHeader))
		})))
	for i := range all {
		all[i].group = "pair/renew"
		if all[i].Check == "pair/two-tabs" || all[i].Check == "pair/nothing-leaks" {
			all[i].group = all[i].Check
		}
	}
	return all
}

func portableReuseMutants() []mutant {
	all := []mutant{
		portableMutant("reuse-is-silent", "renewal/reuse",
			"there is no event for the use of an old token", observer(func(e *scskit.Event) int {
				if e.Kind == scskit.KindReuse {
					return 0
				}
				return 1
			})),
		portableMutant("reuse-ends-nothing", "renewal/end-on-reuse",
			"Options.EndOnReuse has no effect",
			change{options: func(o *scskit.Options) { o.EndOnReuse = false }}),
	}
	for i := range all {
		all[i].group = "renewal/"
	}
	return all
}
