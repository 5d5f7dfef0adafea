package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/caller"
	"github.com/scskit/scskit/internal/leak"
)

// portable is the part of *scskit.Store that LevelPortable checks use. Mutants implement it, too.
type portable interface {
	scs.CtxStore
	scs.IterableStore
	scs.IterableCtxStore
	Codec() scs.Codec
	Sweep(ctx context.Context) (int, error)
	StartSweep(interval time.Duration) (stop func())
	SessionsOf(ctx context.Context, user string) iter.Seq2[scskit.UserSession, error]
	DestroySessionsOf(ctx context.Context, user string, except ...string) (int, error)
	DestroySessionOf(ctx context.Context, user, id string) (bool, error)
	Reseal(ctx context.Context) (scskit.Resealed, error)
	UpdateSessionsOf(ctx context.Context, user string,
		change func(values map[string]any) error) (int, error)
	Lock(ctx context.Context, token string, o scskit.LockOptions) (*scskit.SessionLock, error)
}

var _ portable = (*scskit.Store)(nil)

// newPortable returns a store with options of its own over a fresh driver of the subject, and the
// tap between them.
func (t *checkT) newPortable(opts *scskit.Options) (portable, *tap) {
	t.Helper()
	s, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	d := t.tap(s.Driver())
	return t.portableOver(d, opts), d
}

// portableOver returns a store over d.
func (t *checkT) portableOver(d driver.Driver, opts *scskit.Options) portable {
	t.Helper()
	var own scskit.Options
	if opts != nil {
		own = *opts
	}
	if own.Timeout == 0 {
		own.Timeout = t.crowdTimeout()
	}
	if t.store.build != nil {
		s, err := t.store.build(d, &own)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, err := scskit.NewStore(d, &own)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// manager returns a session manager over s. It does not use scs.New, which starts a goroutine. All
// such managers have the same context key, so no two may share a context.
func manager(s portable) *scs.SessionManager {
	return &scs.SessionManager{Lifetime: lifetime, Store: s, Codec: s.Codec()}
}

// keyOf returns the context key of a manager.
func keyOf(sm *scs.SessionManager) any {
	return caller.FirstKey(func(ctx context.Context) { _, _ = sm.Load(ctx, "") })
}

// request is the use of a session by one request.
type request struct {
	t   *checkT
	sm  *scs.SessionManager
	ctx context.Context
}

// request loads the session as an adapter does.
func (t *checkT) request(sm *scs.SessionManager, token string) *request {
	t.Helper()
	return t.requestIn(scskit.WithTracker(t.Context()), sm, token)
}

// requestIn loads the session in a context that may have loaded others before, as in a loop.
func (t *checkT) requestIn(ctx context.Context, sm *scs.SessionManager, token string) *request {
	t.Helper()
	ctx, err := sm.Load(ctx, token)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return &request{t: t, sm: sm, ctx: ctx}
}

// end commits the session if it was modified, and returns the token and the state of the commit.
func (r *request) end() (string, scskit.CommitState) {
	r.t.Helper()
	if r.sm.Status(r.ctx) != scs.Modified {
		return r.sm.Token(r.ctx), 0
	}
	token, _, err := r.sm.Commit(r.ctx)
	if err != nil {
		r.t.Fatalf("commit: %v", err)
	}
	c, ok := scskit.LastCommit(r.ctx, token)
	if !ok {
		r.t.Fatal("LastCommit returns false after a tracked commit")
	}
	return token, c.State
}

// renew renews the session of a request.
func (r *request) renew() {
	r.t.Helper()
	if err := r.sm.RenewToken(r.ctx); err != nil {
		r.t.Fatalf("renew: %v", err)
	}
}

// destroy destroys the session of a request.
func (r *request) destroy() {
	r.t.Helper()
	if err := r.sm.Destroy(r.ctx); err != nil {
		r.t.Fatalf("destroy: %v", err)
	}
}

func (r *request) merge(token string) {
	r.t.Helper()
	if err := r.sm.MergeSession(r.ctx, token); err != nil {
		r.t.Fatalf("merge: %v", err)
	}
}

// age doubles the idle timeout of a request, so that its commit has to move the stored expiry, as
// if time had passed.
func (r *request) age() {
	sm := *r.sm
	sm.IdleTimeout *= 2
	r.sm = &sm
}

// begin creates a session with the given keys and values, and returns its token.
func (t *checkT) begin(sm *scs.SessionManager, pairs ...any) string {
	t.Helper()
	r := t.request(sm, "")
	for p := range slices.Chunk(pairs, 2) {
		sm.Put(r.ctx, p[0].(string), p[1])
	}
	token, state := r.end()
	leak.Note(token)
	if state != scskit.CommitStored {
		t.Fatalf("first commit of a session: state %d, want Stored", state)
	}
	return token
}

// values returns the stored values of the token's session.
func (t *checkT) values(s portable, token string) map[string]any {
	t.Helper()
	data, found := t.find(s, token)
	if !found {
		t.Fatal("find: the session is not found")
	}
	_, values, err := s.Codec().Decode(data)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return values
}

func (t *checkT) wantValues(got map[string]any, want string) {
	t.Helper()
	if text := fmt.Sprint(got); text != want {
		t.Errorf("the session holds %s, want %s", text, want)
	}
}

// encode returns values encoded with scskit.Codec.
func (t *checkT) encode(values map[string]any) []byte {
	t.Helper()
	return t.encodeUntil(in(lifetime), values)
}

func (t *checkT) encodeUntil(deadline time.Time, values map[string]any) []byte {
	t.Helper()
	data, err := scskit.Codec{}.Encode(deadline, values)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return data
}

// idOf returns the id of the token's record, unless Options.PlainIDs is set.
func idOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// stored returns the record of the token from the driver, bypassing the store and the tap.
func (t *checkT) stored(d *tap, token string) driver.Record {
	t.Helper()
	rec, err := d.Driver.Load(t.Context(), d.id(token))
	if err != nil {
		t.Fatalf("driver: load: %v", err)
	}
	return rec
}

// plant saves data under the token with the driver, bypassing the store and the tap.
func (t *checkT) plant(d *tap, token string, data []byte) {
	t.Helper()
	now := time.Now()
	was := now.Add(-time.Hour)
	err := d.Driver.Save(t.Context(), driver.Record{
		ID: d.id(token), Data: data, Expiry: now.Add(lifetime), Created: was, Updated: was,
		Seen: was, Version: 1,
	}, driver.Always())
	if err != nil {
		t.Fatalf("driver: save: %v", err)
	}
}
