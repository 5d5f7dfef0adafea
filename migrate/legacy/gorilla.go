package legacy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit/adapters"
)

// GorillaOptions are the options of Gorilla. The zero value is ready to use.
type GorillaOptions struct {
	// Values returns the values of the new session, for the values of an old one. It may change the
	// old map. The default is StringKeys. It keeps flash messages, as a []any under "_flash".
	Values func(old map[any]any) map[string]any

	// Deadline returns when a session ends. The session is as the store reads it, with the store's
	// Options. saved is when its cookie was last set, or zero if the cookie does not say. The result
	// may be zero: then the new manager's Lifetime counts from the adoption.
	//
	// By default it is saved plus the MaxAge of the Options, so a session ends when it would have
	// ended, had the old application not saved it again. An application that saved it in each request
	// should return zero here.
	Deadline func(s *sessions.Session, saved time.Time) time.Time
}

// Gorilla reads the sessions with a name from a store of gorilla/sessions, gin-contrib/sessions or
// echo-contrib/session. They share the interface, and all stores have it: the cookie store, the
// stores of Redis, and others. The store decides with its keys, its serializer and its maximal age
// which cookies are valid. The reader uses a session's path and domain as the store's Options have
// them now: make it as the old application did.
//
// The store must find no session if there is none, and return an error if it fails. It deletes a
// session that is saved with a negative MaxAge, as the contract of gorilla/sessions says.
func Gorilla(name string, store sessions.Store, o GorillaOptions) adapters.LegacyReader {
	if o.Values == nil {
		o.Values = StringKeys
	}
	if o.Deadline == nil {
		o.Deadline = storeDeadline
	}
	return &gorillaReader{name, store, codecsOf(store), o}
}

func storeDeadline(s *sessions.Session, saved time.Time) time.Time {
	if saved.IsZero() || s.Options == nil || s.Options.MaxAge <= 0 {
		return time.Time{}
	}
	return saved.Add(time.Duration(s.Options.MaxAge) * time.Second)
}

type gorillaReader struct {
	name   string
	store  sessions.Store
	codecs []securecookie.Codec // nil if the store's cookies are no securecookies
	o      GorillaOptions
}

// codecsOf returns the codecs of a store's cookies. Stores have them in a field Codecs, some of
// them in a struct that they embed.
func codecsOf(store sessions.Store) []securecookie.Codec {
	v := reflect.ValueOf(store)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	field, ok := v.Elem().Type().FieldByName("Codecs")
	if !ok || !field.IsExported() {
		return nil
	}
	if v, err := v.Elem().FieldByIndexErr(field.Index); err == nil && v.CanInterface() {
		codecs, _ := v.Interface().([]securecookie.Codec)
		return codecs
	}
	return nil
}

func (r *gorillaReader) CookieNames() []string { return []string{r.name} }

// SessionID returns the id in the cookie, which may be the same in several cookies, or the cookie
// if the session is in it.
func (r *gorillaReader) SessionID(cookies []*http.Cookie) string {
	value := named(cookies, r.name)
	if value == "" || len(r.codecs) == 0 {
		return value
	}
	var id string
	switch err := securecookie.DecodeMulti(r.name, value, &id, r.codecs...); {
	case err == nil && id != "":
		return "id:" + id
	case err != nil && invalid(err):
		return ""
	}
	return value
}

func (r *gorillaReader) ReadSession(
	ctx context.Context, _ string, cookies []*http.Cookie,
) (*adapters.LegacySession, error) {
	req := r.request(ctx)
	req.Header.Set("Cookie", r.name+"="+named(cookies, r.name))
	s, err := r.store.New(req, r.name)
	switch {
	case err != nil && (invalid(err) || errors.Is(err, fs.ErrNotExist)):
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, fmt.Errorf("legacy: read a session of gorilla/sessions: %w", err)
	case s == nil || s.IsNew:
		return nil, nil //nolint:nilnil // there is none
	}
	old := &adapters.LegacySession{
		Deadline: r.o.Deadline(s, r.saved(named(cookies, r.name))),
		Values:   r.o.Values(s.Values),
		Forget:   func(ctx context.Context) error { return r.forget(ctx, s) },
	}
	expire := &http.Cookie{Name: r.name}
	if s.Options != nil {
		expire.Path, expire.Domain, expire.Secure = s.Options.Path, s.Options.Domain, s.Options.Secure
	}
	old.Expire = []*http.Cookie{expire}
	return old, nil
}

func (r *gorillaReader) request(ctx context.Context) *http.Request {
	req := &http.Request{Method: http.MethodGet, Header: make(http.Header)}
	return req.WithContext(ctx)
}

// forget removes the record of a session, if the store has one.
func (r *gorillaReader) forget(ctx context.Context, s *sessions.Session) error {
	o := sessions.Options{}
	if s.Options != nil {
		o = *s.Options
	}
	o.MaxAge = -1
	s.Options, s.Values = &o, make(map[any]any)
	if err := r.store.Save(r.request(ctx), nowhere{}, s); err != nil {
		return fmt.Errorf("legacy: remove a session of gorilla/sessions: %w", err)
	}
	return nil
}

// saved returns the time in a securecookie whose authenticity the store has checked.
func (r *gorillaReader) saved(cookie string) time.Time {
	if len(r.codecs) == 0 {
		return time.Time{}
	}
	b, err := base64.URLEncoding.DecodeString(cookie)
	if err != nil {
		return time.Time{}
	}
	text, _, _ := strings.Cut(string(b), "|")
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// invalid reports whether an error of securecookie means that the cookie is forged, damaged or too
// old. A cookie that is authentic, but whose value cannot be decoded, is not invalid: probably a
// type is not registered.
func invalid(err error) bool {
	if all, ok := err.(securecookie.MultiError); ok { //nolint:errorlint // it does not unwrap
		for _, err := range all {
			if !invalid(err) {
				return false
			}
		}
		return true
	}
	e, ok := err.(securecookie.Error) //nolint:errorlint // stores return it as it is
	if !ok {
		// securecookie's error for a value that is too long is of no type.
		return strings.Contains(err.Error(), "securecookie: the value is too long")
	}
	// The cause of any other error is base64, before the authenticity is checked, or a serializer.
	var corrupt base64.CorruptInputError
	return e.IsDecode() && (e.Cause() == nil || errors.As(e.Cause(), &corrupt))
}

// nowhere is the response that a store writes to.
type nowhere struct{}

func (nowhere) Header() http.Header         { return make(http.Header) }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
