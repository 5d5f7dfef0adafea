package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/caller"
)

// What checks of LevelPortable do: they put a store with options of their own over the
// driver of the subject, and a tap in between.

// portable is what they use of a *scskit.Store; the mutants are others.
type portable interface {
	scs.CtxStore
	scs.IterableStore
	scs.IterableCtxStore
	Codec() scs.Codec
	Sweep(ctx context.Context) (int, error)
	StartSweep(interval time.Duration) (stop func())
	SessionsOf(ctx context.Context, user string) iter.Seq2[scskit.UserSession, error]
	DestroySessionsOf(ctx context.Context, user string, except ...string) (int, error)
}

var _ portable = (*scskit.Store)(nil)

// newKit returns a store over a fresh driver of the subject, and the tap between them.
func (t *T) newKit(opts *scskit.Options) (portable, *tap) {
	t.Helper()
	s, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	d := t.tap(s.Driver())
	return t.kitOver(d, opts), d
}

// kitOver returns a store over d.
func (t *T) kitOver(d driver.Driver, opts *scskit.Options) portable {
	t.Helper()
	var patient scskit.Options
	if opts != nil {
		patient = *opts
	}
	if patient.Timeout == 0 {
		patient.Timeout = t.ordeal()
	}
	opts = &patient
	if t.store.build != nil {
		s, err := t.store.build(d, opts)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, err := scskit.NewStore(d, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// manager returns a session manager over s. It is not from scs.New, which starts a goroutine;
// so its context key is that of every such manager, and no two share a context.
func manager(s portable) *scs.SessionManager {
	return &scs.SessionManager{Lifetime: lifetime, Store: s, Codec: s.Codec()}
}

// keyOf returns the key under which a manager keeps sessions in contexts.
func keyOf(sm *scs.SessionManager) any {
	return caller.FirstKey(func(ctx context.Context) { _, _ = sm.Load(ctx, "") })
}

// request is one request's use of a session.
type request struct {
	t   *T
	sm  *scs.SessionManager
	ctx context.Context
}

// request loads the session as an adapter does.
func (t *T) request(sm *scs.SessionManager, token string) *request {
	t.Helper()
	return t.requestIn(scskit.WithTracker(t.Context()), sm, token)
}

// requestIn loads the session in a context that may have loaded others before, as a loop does.
func (t *T) requestIn(ctx context.Context, sm *scs.SessionManager, token string) *request {
	t.Helper()
	ctx, err := sm.Load(ctx, token)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return &request{t: t, sm: sm, ctx: ctx}
}

// end commits what there is to commit, and returns the token and what became of the commit.
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
		r.t.Fatal("LastCommit knows nothing of a tracked commit")
	}
	return token, c.State
}

// begin makes a session with the given keys and values, and returns its token.
func (t *T) begin(sm *scs.SessionManager, pairs ...any) string {
	t.Helper()
	r := t.request(sm, "")
	for p := range slices.Chunk(pairs, 2) {
		sm.Put(r.ctx, p[0].(string), p[1])
	}
	token, state := r.end()
	if state != scskit.CommitStored {
		t.Fatalf("the first commit of a session: state %d, want Stored", state)
	}
	return token
}

// values returns what is stored under the token.
func (t *T) values(s portable, token string) map[string]any {
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

// encode returns a session that the default codec has encoded.
func (t *T) encode(values map[string]any) []byte {
	t.Helper()
	return t.encodeUntil(in(lifetime), values)
}

func (t *T) encodeUntil(deadline time.Time, values map[string]any) []byte {
	t.Helper()
	data, err := scskit.Codec{}.Encode(deadline, values)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return data
}

// idOf returns the id under which a token's session is stored, unless ids are plain.
func idOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// stored returns the record under a token, past the store.
func (t *T) stored(d *tap, token string) driver.Record {
	t.Helper()
	rec, err := d.Driver.Load(t.Context(), d.id(token))
	if err != nil {
		t.Fatalf("driver: load: %v", err)
	}
	return rec
}

// plant puts data under a token, past the store.
func (t *T) plant(d *tap, token string, data []byte) {
	t.Helper()
	now := time.Now()
	err := d.Driver.Save(t.Context(), driver.Record{
		ID: d.id(token), Data: data, Expiry: now.Add(lifetime), Created: now, Updated: now, Version: 1,
	}, driver.Always())
	if err != nil {
		t.Fatalf("driver: save: %v", err)
	}
}

// tap is a driver that counts what passes through it, and in which hook can make
// operations fail or wait.
type tap struct {
	driver.Driver
	t     *T
	plain bool // the store above has Options.PlainIDs

	mu    sync.Mutex
	calls map[string]int
	hook  func(ctx context.Context, op, id string) error
	after func(op string) error // turns the success of an operation into an error
}

func (t *T) tap(d driver.Driver) *tap { return &tap{Driver: d, t: t} }

func (d *tap) id(token string) string {
	if d.plain {
		return token
	}
	return idOf(token)
}

// on sets the hook.
func (d *tap) on(hook func(ctx context.Context, op, id string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// refuse has operations fail.
func (d *tap) refuse(err error, ops ...string) {
	d.on(func(_ context.Context, op, _ string) error {
		if slices.Contains(ops, op) {
			return err
		}
		return nil
	})
}

func (d *tap) count(ops ...string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for op, calls := range d.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}

func (d *tap) pass(ctx context.Context, op, id string, f func() error) error {
	d.t.alive()
	defer d.t.alive()
	d.mu.Lock()
	if d.calls == nil {
		d.calls = make(map[string]int)
	}
	d.calls[op]++
	hook, after := d.hook, d.after
	d.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, op, id); err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return err
	}
	if after != nil {
		return after(op)
	}
	return nil
}

func (d *tap) Load(ctx context.Context, id string) (rec driver.Record, err error) {
	err = d.pass(ctx, "load", id, func() error { rec, err = d.Driver.Load(ctx, id); return err })
	return rec, err
}

func (d *tap) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return d.pass(ctx, "save", rec.ID, func() error { return d.Driver.Save(ctx, rec, cond) })
}

func (d *tap) Touch(ctx context.Context, id string, version int64, expiry time.Time) error {
	return d.pass(ctx, "touch", id, func() error { return d.Driver.Touch(ctx, id, version, expiry) })
}

func (d *tap) Delete(ctx context.Context, id string) error {
	return d.pass(ctx, "delete", id, func() error { return d.Driver.Delete(ctx, id) })
}

// Range implements driver.Ranger, as far as the driver does.
func (d *tap) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	r, ok := driver.As[driver.Ranger](d.Driver)
	if !ok {
		return func(yield func(driver.Record, error) bool) {
			yield(driver.Record{}, errors.ErrUnsupported)
		}
	}
	return r.Range(ctx)
}

// Sweep implements driver.Sweeper; a driver that does not has nothing to remove.
func (d *tap) Sweep(ctx context.Context, limit int) (n int, err error) {
	err = d.pass(ctx, "sweep", "", func() error {
		if s, ok := driver.As[driver.Sweeper](d.Driver); ok {
			n, err = s.Sweep(ctx, limit)
		}
		return err
	})
	return n, err
}

// MaxData implements driver.SizeLimiter.
func (d *tap) MaxData() int {
	if l, ok := driver.As[driver.SizeLimiter](d.Driver); ok {
		return l.MaxData()
	}
	return 1<<31 - 1
}
