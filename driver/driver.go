// Package driver defines the interface between scskit and a backend. Applications do not use it;
// they use a store package such as memstore or sqlstore.
//
// A driver is thin. scskit.Store implements everything that is the same for every backend: hashing
// of ids, merging of concurrent writes, throttling of touches, timeouts, size limits and events. A
// driver implements four operations, each of them one round trip. It may also implement optional
// interfaces, such as Sweeper. A driver that wraps another is a Decorator.
//
// # Rules for every method
//
//   - It is safe for concurrent use, by many processes on one backend.
//   - When its context ends, it returns promptly with an error that matches ctx.Err() in errors.Is.
//   - Ids are opaque, compared byte for byte, and at most 512 bytes long. They may contain any
//     byte, including SQL, glob patterns, NUL and newlines.
//   - Data is opaque, may be empty, and may contain any byte.
//   - A record whose Expiry has passed does not exist, whether or not the backend has removed it
//     yet. Load, Touch and a conditional Save treat it as missing.
//   - Times have at least millisecond precision and no zone. Dates after the year 2038 work like
//     any other.
//   - The driver does not keep its arguments, and does not share its results: the caller may change
//     both afterwards.
//   - If the backend lacks the table or index that it needs, errors match ErrNoSchema and say how
//     to create it.
//   - All errors other than those of this package are wrapped, with the package and the operation
//     as a prefix ("redisstore: load: …"). No error contains Data.
package driver

import (
	"context"
	"iter"
	"time"
)

// Record is a stored session.
type Record struct {
	// ID is the key. It is the SHA-256 of the session token by default, and the token itself if the
	// application has turned hashing off.
	ID string

	// Data is the encoded session.
	Data []byte

	// Expiry is when the record ceases to exist. It is never zero, since every scs session has a
	// lifetime.
	Expiry time.Time

	// Created and Updated are when the record was first and last saved. A save over a live record
	// keeps the stored Created. Touch changes neither.
	Created time.Time
	Updated time.Time

	// Seen is when a request last used the session. Save and Touch set it. Requests that write
	// nothing do not, so it may be older than the last request by one touch interval.
	Seen time.Time

	// Version identifies one saved state of the record. The caller draws it at random for each save.
	// It therefore also distinguishes states of a record that was deleted and created again. It is
	// never zero. A Store draws positive versions; records of package migrate that are no sessions
	// have negative ones.
	Version int64

	// User identifies the session's user, for drivers that implement UserIndex. It is the SHA-256 of
	// the application's user id in unpadded URL base64, so the backend holds no names. It is opaque
	// and at most 64 bytes long. Empty means that the session has no user. Every Save sets it, also to
	// empty. Touch does not change it.
	User string

	// Replaces is set by the save that creates the successor of another session. It is the ID of that
	// session, whose record is replaced after this save. A driver that evicts sessions when it is full
	// must spare it. Others ignore it, and Load does not return it.
	Replaces string

	// Rewrite is set by Load if the record should be saved again although nothing changed, for example
	// because it is encrypted with a key that is being retired. Save ignores it.
	Rewrite bool
}

// Condition is the condition under which Save stores a record or Delete removes it. The zero value
// is Always.
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

// Always stores or removes the record unconditionally. A save creates or overwrites.
func Always() Condition { return Condition{} }

// IfAbsent stores the record only if there is no live record with its ID.
func IfAbsent() Condition { return Condition{when: ifAbsent} }

// IfVersion stores over a live record only if it is still at version v, or removes it.
func IfVersion(v int64) Condition { return Condition{when: ifVersion, version: v} }

// Absent reports whether the condition is IfAbsent.
func (c Condition) Absent() bool { return c.when == ifAbsent }

// Match returns the version that the stored record must have. ok is false if the condition does not
// require one.
func (c Condition) Match() (version int64, ok bool) {
	return c.version, c.when == ifVersion
}

// Driver stores records in a backend.
type Driver interface {
	// Load returns the live record with the given id, or ErrNotFound.
	Load(ctx context.Context, id string) (Record, error)

	// Save stores rec, with rec.Version, if the condition holds. Otherwise it stores nothing and
	// returns ErrConflict. If an IfVersion save fails because there is no live record, and the backend
	// reports that at no extra cost, Save may return ErrNotFound instead. An expired record that has
	// not been removed counts as absent for IfAbsent, and as missing for IfVersion. If Data is larger
	// than the backend can hold, the error is a *TooLargeError and the stored record is unchanged.
	Save(ctx context.Context, rec Record, cond Condition) error

	// Touch sets Expiry and Seen of the live record with rec.ID if it is still at rec.Version, and
	// changes nothing else. Otherwise it returns ErrConflict (or ErrNotFound, as for Save). It never
	// creates a record. rec.User is the stored User, for a driver that keeps an index apart from the
	// records. The caller sets no other field of rec.
	Touch(ctx context.Context, rec Record) error

	// Delete removes the record with the given id if the condition holds, which is Always or
	// IfVersion. If the record is at another version, Delete removes nothing and returns ErrConflict.
	// If there is no record, it returns ErrNotFound, or with IfVersion perhaps ErrConflict. For an
	// expired record it may also return nil.
	Delete(ctx context.Context, id string, cond Condition) error
}

// Ranger is implemented by a driver that can list its records.
type Ranger interface {
	// Range yields every live record at least once, in no particular order. Its memory does not grow
	// with the number of records. Records that are saved or deleted meanwhile may or may not be
	// included. After an error, which comes with a zero Record, the sequence ends. If the caller
	// breaks out of the loop, the sequence releases all its resources. The loop body may call the
	// driver's other methods.
	Range(ctx context.Context) iter.Seq2[Record, error]
}

// UserIndex is implemented by a driver that finds the records of one user without reading all
// others.
type UserIndex interface {
	// RangeUser yields every live record whose User is user, and no other, in the way of Ranger.Range.
	// user is never empty. A record that was saved a moment ago may be missing, since indexes may lag.
	// Every record is as Load would return it, so it belonged to the user when it was read.
	RangeUser(ctx context.Context, user string) iter.Seq2[Record, error]
}

// Sweeper is implemented by a driver whose backend does not remove expired records itself.
type Sweeper interface {
	// Sweep removes at most limit expired records and returns how many it removed, even if it fails. A
	// result below limit without an error means that there are no more. It never removes a record that
	// is live at the time of removal.
	//
	// Removing a live session cannot be undone, and the clocks of an application's instances differ.
	// If the backend has a clock, that clock must decide what has expired. Otherwise use the program's
	// clock minus a margin of at least a minute, unless all programs that use the backend share one
	// clock.
	Sweep(ctx context.Context, limit int) (int, error)
}

// SchemaManager is implemented by a driver whose backend needs a table or an index before the first
// record.
type SchemaManager interface {
	// CreateSchema creates what is missing. It returns nil if nothing is.
	CreateSchema(ctx context.Context) error
	// CheckSchema returns nil if the schema is complete. Otherwise its error matches ErrNoSchema and
	// says what is missing and how to create it.
	CheckSchema(ctx context.Context) error
	// DropSchema removes the schema and all sessions. It returns nil if there is none.
	DropSchema(ctx context.Context) error
	// Schema returns what CreateSchema runs, to be read and applied by hand: DDL for SQL, a
	// description for other backends.
	Schema() string
}

// SizeLimiter is implemented by a driver whose backend limits the size of a record.
type SizeLimiter interface {
	// MaxData returns the largest size of Data, in bytes, that the backend is guaranteed to hold.
	MaxData() int
}

// Carrier converts records to cookie values and back, for a store that keeps nothing on a server;
// see scskit.NewCarrierStore. The value takes the place of a token. A session in a cookie cannot be
// revoked, and concurrent requests do not see each other's changes. The store uses no other
// optional interface of a Carrier: Carry itself limits the size. The methods are safe for
// concurrent use.
type Carrier interface {
	// Carry returns the cookie value for a record. It is printable ASCII without spaces, quotes,
	// commas, semicolons, backslashes and dots. If the record does not fit into cookies, the error is
	// a *TooLargeError.
	Carry(rec Record) (value string, err error)

	// Open returns the record for a value that Carry returned, with the value as its ID. For any other
	// value it returns ErrNotFound. Open does not check the expiry.
	Open(value string) (Record, error)

	// CookieName returns the name of the cookie that the values are made for.
	CookieName() string
}
