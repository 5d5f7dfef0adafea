package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableFaultsChecks cover backends that fail, hang or lose answers, and contexts that end.
var portableFaultsChecks = []check{
	{"faults/cancelled", LevelPortable, faultsCancelled,
		"if its context has ended, an operation returns the error of the context within 100 ms"},
	{"faults/cancelled-midway", LevelPortable, faultsCancelledMidway,
		"if its context ends while the backend does not answer, an operation returns within 100 ms"},
	{"faults/slow", LevelPortable, faultsSlow,
		"Options.Timeout: a backend that does not answer is an error after the timeout"},
	{"faults/down", LevelPortable, faultsDown,
		"a failure of the backend is an error of load, save and delete: never a missing session"},
	{"faults/failed-write", LevelPortable, faultsFailedWrite,
		"a write that fails changes nothing, and the session goes on when the backend is back"},
	{"faults/answer-lost", LevelPortable, faultsAnswerLost,
		"a save that was stored, but whose answer was lost, can be repeated"},
	{"faults/save-repeated", LevelPortable, faultsSaveRepeated,
		"a save that a client of the backend repeats, because it has lost an answer, is no conflict"},
	{"faults/failed-touch", LevelPortable, faultsFailedTouch,
		"a backend that accepts no writes fails no request that only reads: the " +
			"session keeps its stored expiry"},
	{"faults/client-gone", LevelPortable, faultsClientGone,
		"a sign-out is stored even if the client hangs up during it"},
}

func faultsCancelled(t *checkT) {
	s, d := t.newPortable(nil)
	token, data := newToken(), t.encode(map[string]any{"k": 1})
	t.commit(s, token, data, in(lifetime))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	for _, ctx := range []context.Context{ended, late} {
		for _, op := range operations {
			if _, ok := driver.As[driver.Ranger](d.Driver); !ok && op.name == "all" {
				continue
			}
			t.promptly(op.name, prompt, func() time.Duration {
				begin := time.Now()
				err := op.do(ctx, s, token, t.encode(map[string]any{"k": 2}))
				if !errors.Is(err, ctx.Err()) {
					t.Errorf("%s: got error %v, want %v", op.name, err, ctx.Err())
				}
				return time.Since(begin)
			})
		}
	}
	t.wantData(s, token, data)
}

// silent waits for the end of the context, as an operation does whose backend does not answer.
func silent(ctx context.Context, _, _ string) error {
	<-ctx.Done()
	return fmt.Errorf("no answer: %w", ctx.Err())
}

func faultsCancelledMidway(t *checkT) {
	s, d := t.newPortable(nil)
	for _, op := range operations {
		if op.name == "all" {
			continue // the tap does not intercept Range
		}
		t.promptly(op.name, prompt, func() time.Duration {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var ended atomic.Int64
			d.on(func(ctx context.Context, name, id string) error {
				time.AfterFunc(5*time.Millisecond, func() {
					ended.CompareAndSwap(0, time.Now().UnixNano())
					cancel()
				})
				return silent(ctx, name, id)
			})
			if err := op.do(ctx, s, newToken(), t.encode(nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got error %v, want %v", op.name, err, context.Canceled)
			}
			return time.Since(time.Unix(0, ended.Load()))
		})
	}
}

func faultsSlow(t *checkT) {
	s, d := t.newPortable(&scskit.Options{Timeout: 20 * time.Millisecond})
	d.on(silent)
	for _, op := range operations {
		if op.name == "all" {
			continue
		}
		t.promptly(op.name+", with a timeout of 20 ms", time.Second, func() time.Duration {
			begin := time.Now()
			err := op.do(t.Context(), s, newToken(), t.encode(nil))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got error %v, want %v", op.name, err, context.DeadlineExceeded)
			}
			return time.Since(begin)
		})
	}
}

var errDown = errors.New("connection refused")

func down(context.Context, string, string) error { return errDown }

func faultsDown(t *checkT) {
	s, d := t.newPortable(nil)
	token := t.begin(manager(s), "k", 1)
	ctx := scskit.WithTracker(t.Context())
	if _, _, err := s.FindCtx(ctx, token); err != nil {
		t.Fatalf("find: %v", err)
	}
	d.on(down)
	for _, ctx := range []context.Context{t.Context(), ctx} {
		for _, op := range operations {
			if op.name == "all" {
				continue
			}
			if err := op.do(ctx, s, token, t.encode(map[string]any{"k": 2})); !errors.Is(err, errDown) {
				t.Errorf("%s: got error %v, want the backend's", op.name, err)
			}
		}
	}
	if _, err := manager(s).Load(ctx, token); !errors.Is(err, errDown) {
		t.Errorf("SessionManager.Load: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")
}

func faultsFailedWrite(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	d.on(down)
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, errDown) {
		t.Fatalf("commit: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")
	if _, state := r.end(); state != scskit.CommitStored {
		t.Errorf("repeated commit: state %d, want Stored", state)
	}
	t.wantValues(t.values(s, token), "map[k:2]")
}

func faultsAnswerLost(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	lose := func(lost bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.after = nil
		if lost {
			d.after = func(string) error { return errDown }
		}
	}
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	lose(true)
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, errDown) {
		t.Fatalf("commit: got error %v, want the backend's", err)
	}
	lose(false)
	if _, state := r.end(); state != scskit.CommitStored && state != scskit.CommitKept {
		t.Errorf("repeated commit: state %d, want Stored or Kept", state)
	}
	t.wantValues(t.values(s, token), "map[k:2]")
}

// repeating is a driver whose client loses the first answer to each save and sends it again.
type repeating struct{ driver.Driver }

func (d repeating) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if err := d.Driver.Save(ctx, rec, cond); err != nil {
		return err
	}
	return d.Driver.Save(ctx, rec, cond)
}

func faultsSaveRepeated(t *checkT) {
	_, d := t.newPortable(nil)
	s := t.portableOver(repeating{d}, nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1) // a commit that is not Stored would send no cookie
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	if _, state := r.end(); state != scskit.CommitStored {
		t.Errorf("commit whose save was repeated: state %d, want Stored", state)
	}
	t.wantValues(t.values(s, token), "map[k:2]")
}

func faultsFailedTouch(t *checkT) {
	var log eventLog
	s, d := t.newPortable(&scskit.Options{Observer: log.observe})
	sm := manager(s)
	sm.IdleTimeout = 20 * time.Minute
	token := t.begin(sm, "k", 1)
	slid := *sm
	slid.IdleTimeout = 40 * time.Minute // as if time had passed
	errFull := errors.New("no memory left")
	d.refuse(errFull, "touch", "save")
	r := t.request(&slid, token)
	if _, state := r.end(); state != scskit.CommitKept {
		t.Errorf("commit of a session that was only read: state %d, want Kept", state)
	}
	if events := log.of(scskit.KindTouch); len(events) != 1 || !errors.Is(events[0].Err, errFull) {
		t.Errorf("events %v, want one, of a failed touch", events)
	}
	r = t.request(&slid, token)
	sm.Put(r.ctx, "k", 2)
	if _, _, err := slid.Commit(r.ctx); !errors.Is(err, errFull) {
		t.Errorf("commit of a change: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")
}

func faultsClientGone(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "user", "ada")
	ctx, hangUp := context.WithCancel(scskit.WithTracker(t.Context()))
	ctx, err := sm.Load(ctx, token)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	d.on(func(ctx context.Context, op, _ string) error {
		if op == "delete" {
			hangUp()
		}
		return ctx.Err()
	})
	if err := sm.Destroy(ctx); err != nil {
		t.Errorf("destroy: %v", err)
	}
	d.on(nil)
	t.wantNone(s, token)
}

// operations are the calls of a store that use the backend.
var operations = []struct {
	name string
	do   func(ctx context.Context, s portable, token string, data []byte) error
}{
	{"find", func(ctx context.Context, s portable, token string, _ []byte) error {
		_, found, err := s.FindCtx(ctx, token)
		if found && err != nil {
			return errors.New("got found true together with an error")
		}
		return err
	}},
	{"commit", func(ctx context.Context, s portable, token string, data []byte) error {
		return s.CommitCtx(ctx, token, data, in(lifetime))
	}},
	{"tracked commit", func(ctx context.Context, s portable, token string, data []byte) error {
		return s.CommitCtx(scskit.WithTracker(ctx), token, data, in(lifetime))
	}},
	{"delete", func(ctx context.Context, s portable, token string, _ []byte) error {
		return s.DeleteCtx(ctx, token)
	}},
	{"all", func(ctx context.Context, s portable, _ string, _ []byte) error {
		_, err := s.AllCtx(ctx)
		return err
	}},
	{"sweep", func(ctx context.Context, s portable, _ string, _ []byte) error {
		_, err := s.Sweep(ctx)
		return err
	}},
}
