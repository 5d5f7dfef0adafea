package conformance

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// cookieLines is the plain adapter with other Set-Cookie headers of responses. change gets the name
// of the session cookie and the lines.
func cookieLines(change func(session string, r *http.Request, lines []string) []string) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		session := plain(sm, opts...)
		return func(next http.Handler) http.Handler {
			next = session(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				f := newFull(w)
				rewrite := func() {
					lines := change(sm.Cookie.Name, r, w.Header().Values("Set-Cookie"))
					w.Header().Del("Set-Cookie")
					for _, line := range lines {
						w.Header().Add("Set-Cookie", line)
					}
				}
				wrote := false
				f.writeHeader = func(code int) {
					if !wrote {
						wrote = true
						rewrite()
					}
					w.WriteHeader(code)
				}
				f.write = func(b []byte) (int, error) {
					if !wrote {
						f.writeHeader(http.StatusOK)
					}
					return w.Write(b)
				}
				next.ServeHTTP(f, r)
			})
		}
	}
}

// isAdopted reports whether data is that of a session which has just been adopted.
func isAdopted(data []byte, f *found) bool {
	return f != nil && bytes.Contains(data, []byte("ada")) && strings.HasPrefix(f.token, "legacy:")
}

// passesAs is the plain adapter that lets failures of one kind pass.
func passesAs(kind func(err error) bool) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		return plain(sm, append(slices.Clone(opts), adapters.OnError(
			func(_ context.Context, err error) error {
				if kind(err) {
					return adapters.ErrFailOpen
				}
				return nil
			}))...)
	}
}

func pairAdoptMutants() []mutant {
	expired := func(line string) bool { return strings.HasPrefix(line, oldCookie+"=;") }
	const expire = oldCookie + "=; Path=/; Max-Age=0"
	all := []mutant{
		adapterMutant("old-cookie-stays", "adopt/session",
			"the old cookie is not expired",
			cookieLines(func(_ string, _ *http.Request, lines []string) []string {
				return slices.DeleteFunc(slices.Clone(lines), expired)
			})),
		adapterMutant("forgets-first", "adopt/order",
			"an old session is forgotten even if the new one could not be stored",
			afterFind(func(b *fakeSiteStore, ctx context.Context, f *found, token string, data []byte,
				e time.Time) error {
				err := b.commit(ctx, token, data, e)
				if isAdopted(data, f) {
					return nil
				}
				return err
			})),
		adapterMutant("adopts-for-each", "adopt/parallel",
			"every request that adopts a session stores one of its own",
			afterFind(func(b *fakeSiteStore, ctx context.Context, f *found, token string, data []byte,
				e time.Time) error {
				if isAdopted(data, f) {
					return b.commit(blank{ctx}, token, data, e)
				}
				return b.commit(ctx, token, data, e)
			})),
		adapterMutant("old-first", "adopt/ours-first",
			"a request with an old cookie has no session of the manager",
			requests(func(_ *scs.SessionManager, r *http.Request) {
				if c, err := r.Cookie(oldCookie); err == nil {
					r.Header.Set("Cookie", c.String())
				}
			})),
		adapterMutant("old-store-is-down", "adopt/failure",
			"a failure of the old store passes with FailClosed too",
			passesAs(func(err error) bool { return errors.Is(err, errOldStore) })),
		adapterMutant("old-reader-panics", "adopt/panic",
			"a panic of the reader passes with FailClosed too",
			passesAs(func(err error) bool {
				return strings.Contains(err.Error(), "LegacyReader panicked")
			})),
		adapterMutant("keeps-nothing", "adopt/keep",
			"a response that sets the session cookie expires the old one, with Keep too",
			cookieLines(func(session string, r *http.Request, lines []string) []string {
				if _, err := r.Cookie(oldCookie); err == nil && len(lines) == 1 &&
					strings.HasPrefix(lines[0], session+"=") {
					return append(slices.Clone(lines), expire)
				}
				return lines
			})),
		adapterMutant("old-cookie-comes-back", "adopt/sign-out",
			"the sign-out of a session that is being adopted does not end it",
			withStore(func(b *fakeSiteStore) {
				remove := b.delete
				b.delete = func(ctx context.Context, token string) error {
					if strings.HasPrefix(token, "legacy:") {
						return nil
					}
					return remove(ctx, token)
				}
			})),
		adapterMutant("adopted-lives-anew", "adopt/deadline",
			"the life of an adopted session begins anew",
			afterFind(func(b *fakeSiteStore, ctx context.Context, f *found, token string, data []byte,
				e time.Time) error {
				if isAdopted(data, f) {
					_, values, _ := scskit.Codec{}.Decode(data)
					data, _ = scskit.Codec{}.Encode(in(lifetime), values)
					e = in(lifetime)
				}
				return b.commit(ctx, token, data, e)
			})),
	}
	for i := range all {
		all[i].group = "adopt/"
	}
	return all
}
