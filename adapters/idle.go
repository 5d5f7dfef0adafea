package adapters

import "github.com/scskit/scskit/internal/signin"

// hasIdleTimeout reports whether the loaded session has an idle timeout of its own. Then a request
// that does not change it commits it too, as scs does under SessionManager.IdleTimeout.
func (r *Request) hasIdleTimeout() bool {
	return r.token != "" && r.l.portable && signin.Idle(r.l.sm.Get(&r.ctx, signin.Key)) > 0
}
