package legacy_test

import (
	"encoding/gob"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit/migrate/legacy"
)

type key int

func init() { gob.Register(key(0)) }

var hashKey = []byte(strings.Repeat("k", 32))

// saved returns the cookie of a session with values, in a store.
func saved(t *testing.T, store sessions.Store, values map[any]any) string {
	t.Helper()
	s := sessions.NewSession(store, "app")
	s.Options = &sessions.Options{Path: "/", MaxAge: 3600}
	s.Values = values
	w := httptest.NewRecorder()
	if err := store.Save(httptest.NewRequest(http.MethodGet, "/", nil), w, s); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0].Value
}

func TestGorilla(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore(hashKey, []byte(strings.Repeat("b", 16)))
	store.MaxAge(3600)
	store.Options.Domain, store.Options.Secure = "example.com", true
	cookie := saved(t, store, map[any]any{
		"user": "ada", key(3): "three", 1: "one", "_flash": []any{"saved"},
	})
	r := legacy.Gorilla("app", store, legacy.GorillaOptions{})
	s, err := read(t, r, cookie)
	if err != nil || s == nil {
		t.Fatalf("session %v, %v", s, err)
	}
	want := map[string]any{
		"user": "ada", "legacy_test.key:3": "three", "int:1": "one", "_flash": []any{"saved"},
	}
	if !reflect.DeepEqual(s.Values, want) {
		t.Errorf("values %v, want %v", s.Values, want)
	}
	if left := time.Until(s.Deadline); left < 50*time.Minute || left > time.Hour {
		t.Errorf("the session ends in %v, want an hour", left)
	}
	if c := s.Expire[0]; len(s.Expire) != 1 || c.Name != "app" || c.Domain != "example.com" ||
		!c.Secure {
		t.Errorf("expires the cookies %v", s.Expire)
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestGorillaOptions(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore(hashKey)
	cookie := saved(t, store, map[any]any{"id": "ada", "_flash": []any{"saved"}})
	var at time.Time
	r := legacy.Gorilla("app", store, legacy.GorillaOptions{
		Values: func(old map[any]any) map[string]any { return map[string]any{"user": old["id"]} },
		Deadline: func(_ *sessions.Session, saved time.Time) time.Time {
			at = saved
			return time.Time{}
		},
	})
	s, err := read(t, r, cookie)
	if err != nil || s == nil {
		t.Fatalf("session %v, %v", s, err)
	}
	if !reflect.DeepEqual(s.Values, map[string]any{"user": "ada"}) || !s.Deadline.IsZero() {
		t.Errorf("values %v until %v, want the user, and no deadline", s.Values, s.Deadline)
	}
	if d := time.Since(at); d < 0 || d > 10*time.Minute {
		t.Errorf("the session was saved %v ago, want now", d)
	}
}

// TestGorillaInvalid reads cookies that are of no use.
func TestGorillaInvalid(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore(hashKey)
	files := sessions.NewFilesystemStore(t.TempDir(), hashKey)
	cookie, file := saved(t, store, map[any]any{"a": 1}), saved(t, files, map[any]any{"a": 1})
	other := saved(t, sessions.NewCookieStore([]byte("another key")), map[any]any{"a": 1})
	late := sessions.NewCookieStore(hashKey) // it takes no cookie of the last minute
	late.Codecs[0].(*securecookie.SecureCookie).MinAge(60)
	replaced := sessions.NewCookieStore([]byte("another key"), nil, hashKey, nil)
	for _, s := range []sessions.Store{store, files, replaced} {
		r := legacy.Gorilla("app", s, legacy.GorillaOptions{})
		for _, value := range []string{"x", "", cookie[1:], cookie + "x", strings.Repeat("A", 9000),
			"fA==", "MTJ8fHw="} {
			if s, err := read(t, r, value); s != nil || err != nil {
				t.Errorf("%.20s: session %v, %v, want none", value, s, err)
			}
		}
	}
	s, err := read(t, legacy.Gorilla("app", files, legacy.GorillaOptions{}), file)
	if err != nil || s == nil {
		t.Fatalf("session %v, %v", s, err)
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		cookie string
		store  sessions.Store
	}{{other, store}, {file, files}, {cookie, late}} {
		r := legacy.Gorilla("app", c.store, legacy.GorillaOptions{})
		if s, err := read(t, r, c.cookie); s != nil || err != nil {
			t.Errorf("session %v, %v, want none", s, err)
		}
	}
}

// TestGorillaUnreadable reads an authentic cookie with a value that cannot be decoded, and uses a
// store without a key: somebody must hear of that.
func TestGorillaUnreadable(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore(hashKey)
	store.Codecs[0].(*securecookie.SecureCookie).SetSerializer(failing{})
	cookie := saved(t, store, nil)
	for _, s := range []sessions.Store{
		store, sessions.NewCookieStore(hashKey), sessions.NewCookieStore([]byte{}),
		sessions.NewCookieStore(),
	} {
		s, err := read(t, legacy.Gorilla("app", s, legacy.GorillaOptions{}), cookie)
		if s != nil || err == nil {
			t.Errorf("session %v, %v, want an error", s, err)
		}
	}
}

// failing is a serializer whose values cannot be read.
type failing struct{}

func (failing) Serialize(any) ([]byte, error) { return []byte("value"), nil }
func (failing) Deserialize([]byte, any) error { return errors.New("no such type") }

// TestGorillaID saves a session again: its requests, with either cookie, are of one session.
func TestGorillaID(t *testing.T) {
	t.Parallel()
	store := sessions.NewFilesystemStore(t.TempDir(), hashKey, []byte(strings.Repeat("b", 16)))
	first := saved(t, store, map[any]any{"a": 1})
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.AddCookie(&http.Cookie{Name: "app", Value: first})
	s, err := store.New(req, "app")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := store.Save(req, w, s); err != nil {
		t.Fatal(err)
	}
	second := w.Result().Cookies()[0].Value
	r := legacy.Gorilla("app", &embedded{store}, legacy.GorillaOptions{})
	ids := make(map[string]bool)
	for _, value := range []string{first, second} {
		cookies := []*http.Cookie{{Name: "other", Value: "x"}, {Name: "app", Value: value}}
		ids[r.SessionID(cookies)] = true
	}
	if first == second || len(ids) != 1 || ids[""] {
		t.Errorf("the ids are %v, want one", ids)
	}
	if r.SessionID(nil) != "" {
		t.Error("a request without cookies has a session")
	}
}

// embedded has a store in it, as the stores of gin-contrib/sessions have.
type embedded struct{ *sessions.FilesystemStore }

// plain is a store whose cookie is the id, as it is for some stores in Redis.
type plain struct {
	sessions.Store
	err error
}

func (p plain) New(r *http.Request, name string) (*sessions.Session, error) {
	s := sessions.NewSession(p, name)
	c, err := r.Cookie(name)
	s.IsNew = err != nil || c.Value != "id1"
	s.Values["a"] = 1
	return s, p.err
}

func (p plain) Save(*http.Request, http.ResponseWriter, *sessions.Session) error { return p.err }

func TestGorillaPlain(t *testing.T) {
	t.Parallel()
	r := legacy.Gorilla("app", plain{}, legacy.GorillaOptions{})
	s, err := read(t, r, "id1")
	if err != nil || s == nil || !s.Deadline.IsZero() {
		t.Fatalf("session %v, %v, want one without a deadline", s, err)
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Error(err)
	}
	if s, err := read(t, r, "id2"); s != nil || err != nil {
		t.Errorf("session %v, %v, want none", s, err)
	}
	r = legacy.Gorilla("app", plain{err: errDown}, legacy.GorillaOptions{})
	if s, err := read(t, r, "id1"); s != nil || !errors.Is(err, errDown) {
		t.Errorf("session %v, %v, want %v", s, err, errDown)
	}
}
