package legacy

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/scskit/scskit/adapters"
)

// FiberStorage is the part of fiber.Storage that Fiber uses. All storages of Fiber v2 and v3 have
// it. Get returns nil if there is no record.
type FiberStorage interface {
	Get(key string) ([]byte, error)
	Delete(key string) error
}

// FiberOptions are the options of Fiber. The zero value is for a middleware with default settings.
type FiberOptions struct {
	// CookieName is the name of the cookie. The default is session_id.
	CookieName string

	// CookiePath and CookieDomain are the settings of the middleware with these names.
	CookiePath, CookieDomain string

	// Values returns the values of the new session, for the values of an old one. It may change the
	// old map. The default is StringKeys.
	Values func(old map[any]any) map[string]any
}

// Fiber reads the sessions that the session middleware of Fiber v2 or v3 keeps in a storage, with
// the id in a cookie.
//
// A session with an AbsoluteTimeout (of Fiber v3) keeps the time of its end. For all others, the
// new manager's Lifetime counts from the adoption: storages do not tell when a record expires.
func Fiber(storage FiberStorage, o FiberOptions) adapters.LegacyReader {
	if o.CookieName == "" {
		o.CookieName = "session_id"
	}
	if o.Values == nil {
		o.Values = StringKeys
	}
	return &fiberReader{storage, o}
}

type fiberReader struct {
	storage FiberStorage
	o       FiberOptions
}

func (r *fiberReader) CookieNames() []string { return []string{r.o.CookieName} }

func (r *fiberReader) SessionID(cookies []*http.Cookie) string {
	return named(cookies, r.o.CookieName)
}

func (r *fiberReader) ReadSession(
	_ context.Context, id string, _ []*http.Cookie,
) (*adapters.LegacySession, error) {
	data, err := r.storage.Get(id)
	if err != nil {
		return nil, fmt.Errorf("legacy: read a session of Fiber: %w", err)
	}
	if len(data) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	values, err := decodeFiber(data)
	if err != nil {
		return nil, fmt.Errorf("legacy: decode a session of Fiber: %w", err)
	}
	deadline := absoluteTimeout(values)
	return &adapters.LegacySession{
		Values: r.o.Values(values), Deadline: deadline,
		Expire: []*http.Cookie{
			{Name: r.o.CookieName, Path: r.o.CookiePath, Domain: r.o.CookieDomain},
		},
		Forget: func(context.Context) error {
			if err := r.storage.Delete(id); err != nil {
				return fmt.Errorf("legacy: remove a session of Fiber: %w", err)
			}
			return nil
		},
	}, nil
}

// decodeFiber decodes a record: a map[any]any of v3, or a map[string]any of v2.
func decodeFiber(data []byte) (map[any]any, error) {
	var values map[any]any
	err := gob.NewDecoder(bytes.NewReader(data)).Decode(&values)
	if err != nil && strings.Contains(err.Error(), fiberKey) {
		data = bytes.ReplaceAll(data, []byte(fiberKey), []byte(ourKey))
		values = nil
		err = gob.NewDecoder(bytes.NewReader(data)).Decode(&values)
	}
	if err == nil {
		return values, nil
	}
	var v2 map[string]any
	if gob.NewDecoder(bytes.NewReader(data)).Decode(&v2) != nil {
		return nil, err
	}
	values = make(map[any]any, len(v2))
	for key, value := range v2 {
		values[key] = value
	}
	return values, nil
}

// Fiber v3 keeps the end of a session under a key of its own, of a type that it does not export. It
// registers the type with gob only if AbsoluteTimeout is set. We cannot register ours with the same
// name, since Fiber would panic when it registers its own later. So if Fiber has not registered its
// type, we read the record as if it had our type, whose name is as long.
const (
	fiberPackage = "github.com/gofiber/fiber/v3/middleware/session"
	fiberType    = "absExpirationKeyType"
	fiberKey     = fiberPackage + "." + fiberType
	ourKey       = "github.com/scskit/scskit/migrate/legacy.fiberV3AbsoluteTimeoutAsKey"
)

var _ = [1]struct{}{}[len(fiberKey)-len(ourKey)] // they must have the same length

type absoluteKey int

func init() {
	gob.RegisterName(ourKey, absoluteKey(0))
	gob.Register(time.Time{})
}

// absoluteTimeout removes the end of a session of Fiber v3 from its values, and returns it.
func absoluteTimeout(values map[any]any) time.Time {
	for key, value := range values {
		t := reflect.TypeOf(key)
		_, ours := key.(absoluteKey)
		if ours || t != nil && t.PkgPath() == fiberPackage && t.Name() == fiberType {
			delete(values, key)
			end, _ := value.(time.Time)
			return end
		}
	}
	return time.Time{}
}
