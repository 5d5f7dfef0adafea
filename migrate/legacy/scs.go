package legacy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// SCS reads the sessions of a manager of alexedwards/scs. It uses the manager's Store, Codec,
// HashTokenInStore, and the name, path and domain of its Cookie. Do not change them afterwards, and
// do not use the manager for anything else.
//
// Sessions keep their deadline, and whether they are remembered. An idle timeout is the new
// manager's.
func SCS(old *scs.SessionManager) adapters.LegacyReader { return &scsReader{old} }

type scsReader struct{ old *scs.SessionManager }

func (r *scsReader) CookieNames() []string { return []string{r.old.Cookie.Name} }

func (r *scsReader) SessionID(cookies []*http.Cookie) string {
	return named(cookies, r.old.Cookie.Name)
}

func (r *scsReader) ReadSession(
	ctx context.Context, id string, _ []*http.Cookie,
) (*adapters.LegacySession, error) {
	if r.old.Store == nil || r.old.Codec == nil {
		return nil, errors.New("legacy: the manager of scs has no Store or no Codec")
	}
	if r.old.HashTokenInStore {
		hash := sha256.Sum256([]byte(id))
		id = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	data, ok, err := r.find(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("legacy: find a session of scs: %w", err)
	}
	if !ok {
		return nil, nil //nolint:nilnil // there is none
	}
	deadline, values, err := r.old.Codec.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("legacy: decode a session of scs: %w", err)
	}
	c := r.old.Cookie
	return &adapters.LegacySession{
		Values: values, Deadline: deadline,
		Expire: []*http.Cookie{{Name: c.Name, Path: c.Path, Domain: c.Domain, Secure: c.Secure}},
		Forget: func(ctx context.Context) error { return r.remove(ctx, id) },
	}, nil
}

func (r *scsReader) find(ctx context.Context, id string) ([]byte, bool, error) {
	if s, ok := r.old.Store.(scs.CtxStore); ok {
		return s.FindCtx(ctx, id)
	}
	return r.old.Store.Find(id)
}

func (r *scsReader) remove(ctx context.Context, id string) error {
	if s, ok := r.old.Store.(scs.CtxStore); ok {
		return s.DeleteCtx(ctx, id)
	}
	return r.old.Store.Delete(id)
}
