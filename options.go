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
	// PlainIDs stores sessions under the token itself. By default the backend sees only the token's
	// SHA-256, in unpadded URL base64, as with scs's HashTokenInStore. Somebody who can read the
	// backend then cannot sign in with what they find there (OWASP Session Management Cheat Sheet).
	PlainIDs bool

	// Codec decodes sessions when concurrent writes are merged. It must be the manager's codec. Nil
	// means Codec{}, which New also gives to the manager. A codec may embed Codec, to compress or
	// encrypt what that writes. If its Decode returns an error that matches ErrCorrupt, the record is
	// dropped. With any other error the request fails, and the record stays. If it does not always
	// encode the same values to the same bytes, the store compares the values, which takes longer.
	Codec scs.Codec

	// MaxSize is the largest encoded session that is accepted, in bytes. A larger one fails with a
	// *driver.TooLargeError. Zero means 4 MiB. A lower limit of the backend applies as well.
	MaxSize int

	// Timeout bounds each operation on the backend. Zero means 5 seconds,
	// a negative value no bound but the request's own.
	Timeout time.Duration

	// TouchInterval is the shortest time between two writes of a session that is only read, to move
	// its idle expiry. Zero means a tenth of the idle timeout, but no more than a minute. A negative
	// value writes at every request. The stored expiry is later by one interval, but not after the
	// session's deadline, so that no session ends early.
	TouchInterval time.Duration

	// UserKey is the session key that holds the user's id, such as "user". SessionsOf and
	// DestroySessionsOf find a user's sessions by it. The value must be a string or an integer; a
	// commit with any other type fails. A session without a value, or with an empty string, belongs
	// to no user. A backend that indexes users gets the SHA-256 of the value. Every process that
	// saves sessions must have the same UserKey. If it is empty, the two methods fail with
	// ErrNoUserKey, and sessions cost nothing extra.
	UserKey string

	// Observer is called for every operation of the store. See Observer.
	Observer Observer

	// Now is the clock, for tests. Nil means time.Now.
	Now func() time.Time
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
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
