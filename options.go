package scskit

import (
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	defaultTimeout = 5 * time.Second
	defaultMaxSize = 4 << 20

	maxTokenBytes   = 512
	maxCarriedBytes = 64 << 10 // of a token that is the session itself
)

// Options are the settings that every backend shares. Each backend's own Options
// embeds them. The zero value, and a nil *Options, is the safe default.
type Options struct {
	// PlainIDs stores sessions under the token itself. By default the backend sees
	// only the token's SHA-256, in unpadded URL base64 (as scs does with
	// HashTokenInStore), so that whoever can read the backend cannot sign
	// in with what they find there (OWASP Session Management Cheat Sheet).
	PlainIDs bool

	// Codec decodes sessions when concurrent writes are merged. It must be the
	// manager's codec. Where it gives other bytes for the same values, they are compared, which
	// costs time. It may embed Codec, to compress or to encrypt what that writes. A
	// record that its Decode says is damaged, with an error that matches ErrCorrupt, is
	// dropped; with any other error the request fails, and the record stays. Nil means Codec{},
	// which is also what New gives the manager.
	Codec scs.Codec

	// MaxSize is the most bytes of encoded session that are accepted; more is a
	// *driver.TooLargeError. Zero means 4 MiB. A lower limit of the
	// backend always applies.
	MaxSize int

	// Timeout bounds each operation on the backend. Zero means 5 seconds,
	// a negative value no bound but the request's own.
	Timeout time.Duration

	// TouchInterval is how often, at most, a session that is only read writes its
	// new idle expiry. Zero means a tenth of the idle timeout, but no more than a
	// minute; a negative value writes at every request. The
	// stored expiry is later by one interval, never beyond the session's absolute
	// deadline, so that throttling ends no session early.
	TouchInterval time.Duration

	// UserKey is the key under which sessions keep whose they are, such as "user": a string, or an
	// integer. It is what SessionsOf and DestroySessionsOf go by. A value of any other type fails
	// the commit; a session without one, or with an empty string, belongs to nobody. A backend that
	// indexes users is given the SHA-256 of the value, which hides names from whoever cannot guess
	// them. Every process that saves sessions must have the same UserKey. Empty means that nobody
	// asks, and costs nothing.
	UserKey string

	// Observer is told of everything that the store does. See Observer.
	Observer Observer

	// Now is the clock, for tests. Nil means time.Now.
	Now func() time.Time
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Codec == nil || isOwn(c.Codec) {
		c.Codec = ownCodec{}
	}
	if c.MaxSize < 0 {
		return c, fmt.Errorf("scskit: Options.MaxSize is %d: it must not be negative", c.MaxSize)
	}
	if c.MaxSize == 0 {
		c.MaxSize = defaultMaxSize
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
