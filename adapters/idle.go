package adapters

import "github.com/scskit/scskit/internal/signin"

// hasIdleTimeout reports whether the session that was loaded has an idle timeout of its own. Then a
// request that does not change it commits it too, as scs does under SessionManager.IdleTimeout.
func (r *Request) hasIdleTimeout() bool {
	if r.token == "" || !r.l.portable {
		return false
	}
	if has, known := r.tracker.HasIdleTimeout(r.l.sm.Store, r.token); known {
		return has // sm.Get allocates
	}
	return signin.Idle(r.l.sm.Get(&r.ctx, signin.Key)) > 0
}
