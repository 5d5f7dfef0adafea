// Package legacy reads the sessions of other packages, for adapters.Adopt, so that an application
// changes to scskit without signing anybody out:
//
//   - SCS reads sessions of alexedwards/scs, from any of its stores.
//   - Gorilla reads sessions of gorilla/sessions, gin-contrib/sessions and echo-contrib/session,
//     from any of their stores: cookie, Redis, file system and others.
//   - Fiber reads sessions of the middleware of Fiber v2 and v3, from any storage.
//
// The readers get the manager, the store or the storage that the application has already, with its
// keys and its client. So it needs no second client, and no settings twice. docs/moving.md in the
// repository shows how an application changes.
//
// Types that sessions hold must be registered with gob.Register, as before.
//
// All readers are safe for concurrent use, if the store that they read is.
package legacy

import (
	"fmt"
	"net/http"
)

// StringKeys is the rule for the keys of values, which must be strings here. A key of type string
// is kept. Any other key becomes the text of its type, a colon, and its value, such as
// "main.key:user" or "int:1". Values in the options of a reader may call it and change the result.
func StringKeys(values map[any]any) map[string]any {
	all := make(map[string]any, len(values))
	for key, value := range values {
		text, ok := key.(string)
		if !ok {
			text = fmt.Sprintf("%T:%v", key, key)
		}
		all[text] = value
	}
	return all
}

// named returns the value of the first cookie with the name, or "".
func named(cookies []*http.Cookie, name string) string {
	for _, c := range cookies {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
