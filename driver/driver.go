// Package driver defines what a backend implements so that scskit can keep
// sessions in it. Applications do not use it; they use a store package such as
// memstore or sqlstore.
//
// A driver is thin. Everything that must be the same on every backend (hashing of ids, merging of
// concurrent writes, touch throttling, time-outs, size limits, events) lives once in scskit.Store,
// which is built over a driver. What is left for a driver is four operations, each of them one
// round trip. What else a backend can do is an interface that its driver may implement, such as
// Sweeper. A driver that wraps another is a Decorator.
//
// # Rules for every method
//
//   - It is safe for concurrent use, from many processes on one backend.
//   - It honours its context: when the context ends it returns promptly with an
//     error that errors.Is matches against ctx.Err().
//   - Ids are opaque, compared byte for byte, and at most 512 bytes long. They may
//     hold any byte: SQL, globs, NUL and newlines are data.
//   - Data is opaque, may be empty, and may hold any byte.
//   - A record whose Expiry has passed does not exist, whether or not the
//     backend has removed it yet: Load, Touch and a conditional Save say so.
//   - Times keep at least millisecond precision and carry no zone. Dates
//     beyond the year 2038 are stored like any other.
//   - Nothing that is passed in is kept, and nothing that is returned is shared:
//     the caller may change both afterwards.
//   - Where the backend lacks the table or index that it needs, errors match ErrNoSchema and
//     name the fix.
//   - Errors other than those of this package are wrapped, with the package and the
//     operation in front ("redisstore: load: …"). No error holds Data.
package driver

import (
	"context"
	"iter"
	"time"
)

// Record is one stored session.
type Record struct {
	// ID is the key: the SHA-256 of the session token by default, the token
	// itself if the application turned hashing off.
	ID string

	// Data is the encoded session.
	Data []byte

	// Expiry is when the record ceases to exist. It is never zero: a session
	// without a lifetime is not something scs can ask for.
	Expiry time.Time

	// Created and Updated are when the record was first and last saved. A save
	// over a live record keeps the Created that is stored; touching changes neither.
	Created time.Time
	Updated time.Time

	// Version identifies one saved state of the record. The caller draws it at
	// random for each save, so that a state is never mistaken for another one,
	// not even of a record that was deleted and created again. It is never zero.
	Version int64

	// User says whose session this is, to a driver that is a UserIndex, and to others nothing: the
	// SHA-256 of the application's user in unpadded URL base64, so that the backend shows no names.
	// It is opaque, and at most 64 bytes long. Empty means nobody. Every save sets it, also to
	// nobody; touching leaves it.
	User string

	// Rewrite is set by Load if the record should be saved again although nothing
	// changed: it was sealed under a key that is being retired, say. Save ignores it.
	Rewrite bool
}

// Condition tells under which circumstances Save stores the record. The zero
// value is Always.
type Condition struct {
	when    when
	version int64
}

type when uint8

const (
	always when = iota
	ifAbsent
	ifVersion
)

// Always stores the record whatever is there: a create or an overwrite.
func Always() Condition { return Condition{} }

// IfAbsent stores the record only if there is no live one with its ID.
func IfAbsent() Condition { return Condition{when: ifAbsent} }

// IfVersion stores the record only over a live one that is still at version v.
func IfVersion(v int64) Condition { return Condition{when: ifVersion, version: v} }

// Absent reports whether the condition is IfAbsent.
func (c Condition) Absent() bool { return c.when == ifAbsent }

// Match returns the version that the stored record must have, and whether the
// condition asks for one at all.
func (c Condition) Match() (version int64, ok bool) {
	return c.version, c.when == ifVersion
}

// Driver keeps records in one backend.
type Driver interface {
	// Load returns the live record with the given id, or ErrNotFound.
	Load(ctx context.Context, id string) (Record, error)

	// Save stores rec, with rec.Version, if the condition holds. If it does not it
	// stores nothing and returns ErrConflict. Where the backend tells for
	// free that an IfVersion save failed because there is no live record,
	// ErrNotFound may be returned instead. An expired record that is still
	// there is absent to IfAbsent, and gone to IfVersion.
	// If Data is more than the backend holds, the error is a *TooLargeError and
	// what was stored before is unchanged.
	Save(ctx context.Context, rec Record, cond Condition) error

	// Touch moves the expiry of the live record with the given id if it is still
	// at the given version, and changes nothing else. Otherwise it returns
	// ErrConflict (or ErrNotFound, as for Save). It never creates a record.
	Touch(ctx context.Context, id string, version int64, expiry time.Time) error

	// Delete removes the record with the given id. It returns ErrNotFound if
	// there was none; for an expired record either answer will do.
	Delete(ctx context.Context, id string) error
}

// Ranger is implemented by a driver that can list its records.
type Ranger interface {
	// Range yields every live record, each at least once, in no particular order, with
	// memory that does not grow with their number. Records that are saved or
	// deleted meanwhile may or may not be seen. After an error, which is yielded
	// with a zero Record, the sequence ends. Breaking off releases everything
	// that the sequence held. The body may call the driver's other methods.
	Range(ctx context.Context) iter.Seq2[Record, error]
}

// UserIndex is implemented by a driver that finds the records of one user without reading every
// other.
type UserIndex interface {
	// RangeUser yields every live record whose User is user, and no other, as Ranger.Range does.
	// The user is never empty. A record that was saved a moment ago may be left out, since indexes
	// may lag; what is yielded is as Load would return it, so that it was the user's when it was
	// read.
	RangeUser(ctx context.Context, user string) iter.Seq2[Record, error]
}

// Sweeper is implemented by a driver whose backend does not remove expired
// records of its own accord.
type Sweeper interface {
	// Sweep removes at most limit expired records and returns how many
	// it removed, also if it fails. Fewer than limit, without an error, means that there were no
	// more. It never removes a record that is live when it is removed.
	//
	// To remove a live session is the one mistake that nothing mends, and the clocks of an
	// application's instances differ. So where the backend has a clock, that decides what has
	// expired. Elsewhere the program's does, less a margin of at least a minute, unless every
	// program that uses the backend has the same clock.
	Sweep(ctx context.Context, limit int) (int, error)
}

// SchemaManager is implemented by a driver whose backend needs a table or an
// index before the first record.
type SchemaManager interface {
	// CreateSchema makes what is missing, and is nil if there is nothing to do.
	CreateSchema(ctx context.Context) error
	// CheckSchema returns nil if everything is in place, and otherwise an error
	// that matches ErrNoSchema and says what is missing and how to create it.
	CheckSchema(ctx context.Context) error
	// DropSchema removes it, with every session. It is nil if nothing was there.
	DropSchema(ctx context.Context) error
	// Schema returns what CreateSchema runs, for people to read and to apply by
	// hand: DDL for SQL, a description elsewhere.
	Schema() string
}

// SizeLimiter is implemented by a driver whose backend bounds the size of a record.
type SizeLimiter interface {
	// MaxData returns the most bytes of Data that the backend is sure to hold.
	MaxData() int
}

// Carrier turns records into cookie values and back, for a store that keeps nothing on a server:
// scskit.NewCarrierStore. The value takes the place of a token. A session in a cookie cannot be
// revoked, and concurrent requests do not see each other's changes. The methods are safe for
// concurrent use.
type Carrier interface {
	// Carry returns the cookie value for a record: printable ASCII without spaces, quotes, commas,
	// semicolons, backslashes and dots. The error is a *TooLargeError if it does not fit into
	// cookies.
	Carry(rec Record) (value string, err error)

	// Open returns the record of a value that Carry has returned, with the value as its ID. The
	// error is ErrNotFound for any other value. Open does not look at the expiry.
	Open(value string) (Record, error)

	// CookieName returns the name of the cookie that values are made for.
	CookieName() string
}
