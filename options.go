package scskit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/signin"
)

const (
	defaultTimeout = 5 * time.Second
	defaultMaxSize = 4 << 20

	maxTokenBytes   = 512
	maxCarriedBytes = 64 << 10 // if the token is the session itself
)

// Options are the settings that all backends share. Each store package embeds them in its own
// Options. The zero value and a nil *Options are safe defaults.
type Options struct {
	// PlainIDs stores sessions under the token itself. By default the backend gets only the token's
	// SHA-256, in unpadded URL base64, as with scs's HashTokenInStore. An attacker who can read the
	// backend then cannot use what it holds as a cookie (OWASP Session Management Cheat Sheet).
	PlainIDs bool

	// Codec decodes sessions when concurrent writes are merged. It must be the same as the manager's
	// codec. Nil means Codec{}, which New also gives to the manager. A codec may embed Codec, to
	// compress or encrypt its records. If its Decode returns an error that matches ErrCorrupt, the
	// record is deleted. For any other error the request fails, and the record stays. If a codec does
	// not always encode the same values to the same bytes, the store compares the values, which takes
	// longer.
	Codec scs.Codec

	// Keys encrypt the sessions in the backend with AES-256-GCM. Each key is 32 random bytes; package
	// keyring reads and makes them. The first key seals, and all of them open, so that keys can be
	// rotated without signing anybody out: see docs/security.md for the three steps. What is sealed
	// is bound to the session's id, so that it does not open as another session. Each record grows by
	// 35 bytes. Nonces are random: rotate before 2^32 saves under one key (NIST SP 800-38D). The hash
	// of the user (see UserKey) and the times of a session are not encrypted. Empty means that
	// sessions are stored as the codec encodes them. A store that keeps sessions in cookies has keys
	// of its own.
	Keys [][]byte

	// Plaintext says what happens to records that are not sealed, if Keys is set. Zero means that
	// they are refused.
	Plaintext Plaintext

	// OnUnreadable decides what happens to a record that a request finds and that cannot be read. It
	// must be fast and safe for concurrent use. Nil means that damaged records, whose error matches
	// ErrCorrupt, are deleted, and that others fail the request and are kept: another process may be
	// able to read them. KeepCorrupt keeps damaged ones aside. If more than 10 records in a row are
	// unreadable, this process is probably misconfigured. The store then deletes no more, logs an
	// error, reports KindUnreadable, and fails the requests until it reads a record that is older than
	// the process, or for an hour in which it met none that is unreadable.
	OnUnreadable func(ctx context.Context, u Unreadable) UnreadableAction

	// Merge has functions for session keys whose values are merged if concurrent requests change
	// them, such as MergeSum for a counter and MergeMaps for a cart. For all other keys, and after
	// Overwrite, one of the values is kept. Every process must have the same functions.
	Merge map[string]MergeFunc

	// MaxSize is the maximum size of an encoded session in bytes. A commit of a larger one fails with
	// a *driver.TooLargeError. Zero means 4 MiB. If the backend has a lower limit, that applies.
	MaxSize int

	// Timeout bounds each operation on the backend. Zero means 5 seconds. If it is negative, only the
	// request's own context bounds the operations.
	Timeout time.Duration

	// TouchInterval is the minimum time between two writes that only extend the idle expiry of a
	// session that is read. Zero means a tenth of the idle timeout, but at most a minute. A negative
	// value writes at every request. So that no session ends early, the stored expiry is later by one
	// interval, but not later than the session's deadline.
	TouchInterval time.Duration

	// UserKey is the session key that holds the user's id, such as "user". SessionsOf and
	// DestroySessionsOf use it to find a user's sessions. The value must be a string or an integer; a
	// commit with any other type fails. A session without a value, or with an empty string, belongs to
	// no user. A backend that indexes users gets the SHA-256 of the value. Every process that saves
	// sessions must have the same UserKey. If UserKey is empty, the two methods fail with
	// ErrNoUserKey.
	UserKey string

	// EndOnReuse ends all sessions of a user if a token is used that was renewed more than ten seconds
	// before: somebody may have stolen it, or the new one. It needs UserKey. A browser that has lost
	// the response with its new cookie looks the same, and its user is signed out. The store notices
	// such a token for five minutes after a sign-in, and for an hour after a renewal by
	// adapters.RenewEvery. It reports KindReuse in any case.
	EndOnReuse bool

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
	if c.EndOnReuse && c.UserKey == "" {
		return c, errors.New("scskit: Options.EndOnReuse is set, but UserKey is not: set it to the " +
			"session key that holds the user's id")
	}
	if err := c.checkMerge(); err != nil {
		return c, err
	}
	merge := map[string]MergeFunc{signin.Key: signin.Merge}
	maps.Copy(merge, c.Merge)
	c.Merge = merge
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
