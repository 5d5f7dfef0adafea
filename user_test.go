package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/keyring"
	"github.com/scskit/scskit/stores/cookiestore"
	"github.com/scskit/scskit/stores/memstore"
)

func userStore(t *testing.T, opts scskit.Options) *scskit.Store {
	t.Helper()
	s, err := memstore.New(&memstore.Options{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commitSession(t *testing.T, s *scskit.Store, token string, values map[string]any) error {
	t.Helper()
	expiry := time.Now().Add(time.Hour)
	data, err := s.Codec().Encode(expiry, values)
	if err != nil {
		t.Fatal(err)
	}
	return s.Commit(token, data, expiry)
}

// idsOf returns the sorted ids of the user's sessions.
func idsOf(t *testing.T, s *scskit.Store, user string) []string {
	t.Helper()
	var ids []string
	for session, err := range s.SessionsOf(context.Background(), user) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, session.ID)
	}
	slices.Sort(ids)
	return ids
}

// TestUserValues checks the types that a value under UserKey may have, also with scs's codec.
func TestUserValues(t *testing.T) {
	for _, codec := range []scs.Codec{scskit.Codec{}, scs.GobCodec{}} {
		s := userStore(t, scskit.Options{UserKey: "user", Codec: codec})
		for i, tc := range []struct {
			value any
			user  string
		}{
			{"alice", "alice"}, {"Alice", "Alice"},
			{strings.Repeat("long ", 100), strings.Repeat("long ", 100)}, {"\xff\x00", "\xff\x00"},
			{1000, "1000"}, {-1, "-1"}, {int8(-8), "-8"}, {int16(1600), "1600"},
			{int32(-3200000), "-3200000"}, {int64(1 << 60), "1152921504606846976"},
			{uint(1), "1"}, {uint8(200), "200"}, {uint16(60000), "60000"}, {uint32(1 << 31), "2147483648"},
			{uint64(1<<64 - 1), "18446744073709551615"},
			{0, "0"},
		} {
			token := fmt.Sprintf("%v %d", codec, i)
			values := map[string]any{"a": 1, "list": []string{"b"}, "user": tc.value, "z": "last",
				"user2": "x"}
			if err := commitSession(t, s, token, values); err != nil {
				t.Errorf("%T: %v", tc.value, err)
			}
			if ids := idsOf(t, s, tc.user); !slices.Equal(ids, []string{scskit.HashToken(token)}) {
				t.Errorf("%T, a user of type %T: got the sessions %q", codec, tc.value, ids)
			}
			if err := s.Delete(token); err != nil {
				t.Error(err)
			}
		}
		for i, values := range []map[string]any{{}, {"a": 1}, {"z": 1}, {"user": ""}, {"user ": "x"}} {
			if err := commitSession(t, s, fmt.Sprint("nobody", i), values); err != nil {
				t.Errorf("a session without a user: %v", err)
			}
		}
		for _, v := range []any{true, 1.5, []byte("secret"), []string{"secret"}, time.Hour, time.Now(),
			map[string]any{"secret": 1}, []any{"secret"}, map[string]string{"secret": ""}} {
			if _, ok := codec.(scs.GobCodec); ok {
				break // gob needs registered types
			}
			err := commitSession(t, s, "other", map[string]any{"a": "before", "user": v})
			if err == nil || !strings.Contains(err.Error(),
				fmt.Sprintf("is a %T: it must be a string or an integer", v)) ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("%T: got error %v", v, err)
			}
			if _, found, _ := s.Find("other"); found {
				t.Errorf("%T: the session was stored", v)
			}
		}
	}
}

// A store accepts any bytes even if UserKey is set, and decodes records of scs's codec.
func TestUserOfOtherData(t *testing.T) {
	s := userStore(t, scskit.Options{UserKey: "user"})
	whole, err := scskit.Codec{}.Encode(time.Now(), map[string]any{"a": 1, "user": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		if err := s.Commit(fmt.Sprint(n), whole[:n], time.Now().Add(time.Hour)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if ids := idsOf(t, s, "alice"); len(ids) != 0 {
		t.Errorf("sessions that do not decode were found for alice: %q", ids)
	}
	legacy, err := scs.GobCodec{}.Encode(time.Now(), map[string]any{"user": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit("legacy", legacy, time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if ids := idsOf(t, s, "alice"); !slices.Equal(ids, []string{scskit.HashToken("legacy")}) {
		t.Errorf("got %q", ids)
	}
}

func TestSessionsOfRefuses(t *testing.T) {
	keys, err := keyring.Parse(keyring.New())
	if err != nil {
		t.Fatal(err)
	}
	cookies, err := cookiestore.New(keys,
		&cookiestore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		t.Fatal(err)
	}
	with := userStore(t, scskit.Options{UserKey: "user"})
	for what, tc := range map[string]struct {
		store *scskit.Store
		user  string
		is    error
		text  string
	}{
		"no UserKey": {userStore(t, scskit.Options{}), "alice", scskit.ErrNoUserKey,
			"Options.UserKey is not set"},
		"a cookie store": {cookies, "alice", errors.ErrUnsupported, "use a store that can"},
		"nobody":         {with, "", nil, "the user is empty"},
	} {
		_, destroyErr := tc.store.DestroySessionsOf(context.Background(), tc.user)
		errs := []error{destroyErr}
		for _, err := range tc.store.SessionsOf(context.Background(), tc.user) {
			errs = append(errs, err)
		}
		if len(errs) != 2 {
			t.Errorf("%s: %d errors", what, len(errs))
		}
		for _, err := range errs {
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) ||
				!strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "alice") {
				t.Errorf("%s: got error %v", what, err)
			}
		}
	}
}

// untrusted is an index that returns every record twice, and then fails if fail is set.
type untrusted struct {
	driver.Driver
	fail error
}

func (u *untrusted) RangeUser(ctx context.Context, _ string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for range 2 {
			for rec, err := range u.Driver.(driver.Ranger).Range(ctx) {
				if !yield(rec, err) {
					return
				}
			}
		}
		if u.fail != nil {
			yield(driver.Record{}, u.fail)
		}
	}
}

// SessionsOf and DestroySessionsOf check what an index returns, and after an error return what they
// have done.
func TestSessionsOfUntrustedIndex(t *testing.T) {
	u := &untrusted{Driver: userStore(t, scskit.Options{}).Driver()}
	s, err := scskit.NewStore(u, &scskit.Options{UserKey: "user"})
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]string{"one": "alice", "two": "alice", "three": "bob", "four": ""}
	for token, user := range users {
		if err := commitSession(t, s, token, map[string]any{"user": user, "token": token}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]scskit.UserSession{}
	for session, err := range s.SessionsOf(context.Background(), "alice") {
		if err != nil {
			t.Fatal(err)
		}
		token := session.Values["token"].(string)
		if _, again := got[token]; again {
			t.Errorf("%s was yielded twice", token)
		}
		got[token] = session
		if session.ID != scskit.HashToken(token) || session.Values["user"] != "alice" ||
			session.Created.IsZero() || session.Updated.IsZero() ||
			session.Expiry.Sub(session.Deadline).Abs() > time.Second ||
			time.Until(session.Expiry) < 50*time.Minute {
			t.Errorf("got %+v", session)
		}
		if _, found, err := s.Find(session.Key); err != nil || !found {
			t.Errorf("find by the key: %v, %v", found, err)
		}
		if _, found, _ := s.Find(session.ID); found {
			t.Error("Find accepts the ID as a token")
		}
	}
	if tokens := slices.Sorted(maps.Keys(got)); !slices.Equal(tokens, []string{"one", "two"}) {
		t.Errorf("got the sessions %q, want one and two", tokens)
	}
	u.fail = errors.New("down")
	n, err := s.DestroySessionsOf(context.Background(), "alice", "two", "three", "")
	if n != 1 || !errors.Is(err, u.fail) {
		t.Errorf("destroyed %d, %v, want 1 and the failure", n, err)
	}
	for token, want := range map[string]bool{"one": false, "two": true, "three": true, "four": true} {
		if _, found, err := s.Find(token); err != nil || found != want {
			t.Errorf("%s: found %v, %v", token, found, err)
		}
	}
}

// moving is a driver that calls move after its Range has yielded the first record. It yields no
// record that was created after the call of Range.
type moving struct {
	driver.Driver
	last string // the id of the record that is yielded last
	move func()
}

func (m *moving) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		var ids []string
		for rec := range m.Driver.(driver.Ranger).Range(ctx) {
			if rec.ID != m.last {
				ids = append(ids, rec.ID)
			}
		}
		for i, id := range append(ids, m.last) {
			rec, err := m.Load(ctx, id)
			if err == nil && !yield(rec, nil) {
				return
			}
			if i == 0 {
				m.move()
			}
		}
	}
}

// TestUserSessionsRenewedMeanwhile renews a session twice after a call has listed the sessions.
func TestUserSessionsRenewedMeanwhile(t *testing.T) {
	background := context.Background()
	for _, name := range []string{"destroy", "update"} {
		t.Run(name, func(t *testing.T) {
			m := &moving{
				Driver: userStore(t, scskit.Options{}).Driver(), last: scskit.HashToken("two"),
			}
			s, err := scskit.NewStore(m, &scskit.Options{UserKey: "user"})
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{"one", "two", "three"} {
				if err := commitSession(t, s, token, map[string]any{"user": "alice"}); err != nil {
					t.Fatal(err)
				}
			}
			token := "two"
			m.move = func() {
				for range 2 {
					sm := scskit.New(s)
					ctx, err := sm.Load(scskit.WithTracker(background), token)
					if err != nil {
						t.Error(err)
						return
					}
					err = sm.RenewToken(ctx)
					if err == nil {
						token, _, err = sm.Commit(ctx)
					}
					if err != nil {
						t.Error(err)
					}
				}
			}
			var n int
			if name == "destroy" {
				n, err = s.DestroySessionsOf(background, "alice")
			} else {
				n, err = s.UpdateSessionsOf(background, "alice", func(values map[string]any) error {
					values["role"] = "guest"
					return nil
				})
			}
			if n != 3 || err != nil {
				t.Errorf("%d sessions, %v, want 3", n, err)
			}
			sm := scskit.New(s)
			ctx, err := sm.Load(background, token)
			if err != nil {
				t.Fatal(err)
			}
			switch user, role := sm.GetString(ctx, "user"), sm.GetString(ctx, "role"); {
			case name == "destroy" && user != "":
				t.Error("the session that was renewed meanwhile still exists")
			case name == "update" && role != "guest":
				t.Errorf("the session that was renewed meanwhile has the role %q", role)
			}
		})
	}
}

func TestDestroySessionsOfWithTimeout(t *testing.T) {
	s := userStore(t, scskit.Options{UserKey: "user"})
	sm := scskit.New(s)
	if err := commitSession(t, s, "mine", map[string]any{"user": "alice"}); err != nil {
		t.Fatal(err)
	}
	ctx, err := sm.Load(scskit.WithTracker(t.Context()), "mine")
	if err := errors.Join(err, sm.RenewToken(ctx)); err != nil {
		t.Fatal(err)
	}
	n, err := s.WithTimeout(time.Minute).DestroySessionsOf(ctx, "alice", sm.Token(ctx))
	if n != 0 || err != nil {
		t.Errorf("destroyed %d, %v; want 0: the only session is the request's own", n, err)
	}
	token, _, err := sm.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.Find(token); !found || err != nil {
		t.Errorf("the renewed session: found %v, %v", found, err)
	}
}

func BenchmarkUserOf(b *testing.B) {
	for _, key := range []string{"", "user"} {
		b.Run("UserKey="+key, func(b *testing.B) {
			s, err := scskit.NewStore(discard{}, &scskit.Options{UserKey: key})
			if err != nil {
				b.Fatal(err)
			}
			data, err := s.Codec().Encode(time.Now(),
				map[string]any{"cart": []string{"a", "b", "c"}, "count": 3, "user": "alice"})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Commit("token", data, time.Now().Add(time.Hour)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// discard is a driver that stores nothing.
type discard struct{ driver.Driver }

func (discard) Save(context.Context, driver.Record, driver.Condition) error { return nil }
