package conformance

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

func pairLockMutants() []mutant {
	all := []mutant{
		adapterMutant("lease-ends-at-once", "pair/lock", "the option Lock has another lease",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				if s, ok := scskit.StoreOf(sm.Store); ok {
					if _, carries := s.CookieName(); !carries {
						opts = append(opts, adapters.Lock(scskit.LockOptions{
							Lease: 1, RetryDelay: time.Millisecond, MaxWait: time.Hour,
						}))
					}
				}
				return plain(sm, opts...)
			}),
		adapterMutant("panic-keeps-lock", "pair/lock-ends", "a panic does not release the lock",
			life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
				r *http.Request, next http.Handler) {
				sw := adapters.NewWriter(w, req)
				next.ServeHTTP(sw.Handler(), r)
				if err := sw.Finish(); err != nil {
					l.HandleError(w, r, err)
				}
			})),
	}
	for i := range all {
		all[i].group = "pair/lock"
	}
	return all
}
