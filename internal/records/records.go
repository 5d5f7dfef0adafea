// Package records is how package migrate reads and writes the records of a scskit.Store one by one,
// with those that are no sessions.
package records

import (
	"context"
	"iter"
	"time"

	"github.com/scskit/scskit/driver"
)

// Kind is what a record is.
type Kind uint8

// The kinds of records.
const (
	Session   Kind = iota
	Tombstone      // of a session that was renewed or merged
	Lock
)

// Unreadable is the error for a record that cannot be read, as opposed to a failure of the backend.
type Unreadable struct{ Err error }

func (e *Unreadable) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *Unreadable) Unwrap() error { return e.Err }

// Untimed is implemented by a driver whose backend does not know when a record was saved. Updated
// is then the same for all states of a record.
type Untimed interface{ Untimed() }

// Access is the access to the records of a store. The text of an error has no token. Load, Save,
// Touch and Delete have the store's timeout, and report events.
type Access interface {
	Backend() any             // the driver, for the text of errors
	Carries() bool            // the store keeps sessions in cookies
	Plain() bool              // ids are tokens
	Keyed() bool              // the store has keys to seal or open records
	Timed() bool              // the driver is not Untimed
	Now() time.Time           // the store's clock
	Public(id string) string  // the id as it may be logged
	Ended(driver.Record) bool // the session in an open record has ended, although it has not expired

	// Range yields every live record as the driver has it. Its error matches errors.ErrUnsupported if
	// the driver cannot list records.
	Range(ctx context.Context) iter.Seq2[driver.Record, error]

	// Open replaces the data of a record from Range by the plaintext. The error is an *Unreadable.
	// The record then has no data, and is taken for a session.
	Open(rec *driver.Record) (Kind, error)

	// Load returns an open record of any kind. If the error is an *Unreadable, the record has no
	// data.
	Load(ctx context.Context, id string) (driver.Record, Kind, error)

	// Raw is Load, but takes data that does not decode for a session: a store holds any bytes.
	Raw(ctx context.Context, id string) (driver.Record, Kind, error)

	// Unseal is Open in the way of Raw.
	Unseal(rec *driver.Record) (Kind, error)

	// KindOf returns what unsealed data is.
	KindOf(data []byte) Kind

	// Readable returns an *Unreadable if an unsealed record does not decode.
	Readable(rec driver.Record) error

	// Convert returns an open record of another store as this one keeps it, before it is sealed. The
	// error says why the store cannot keep it.
	Convert(from Access, rec driver.Record, kind Kind) (driver.Record, error)

	// Canonical returns data that is equal for equal sessions.
	Canonical(rec driver.Record, kind Kind) []byte

	// Save stores an open record, with its version and times.
	Save(ctx context.Context, rec driver.Record, cond driver.Condition) error
	Touch(ctx context.Context, rec driver.Record) error
	Delete(ctx context.Context, id string, cond driver.Condition) error

	// Turn waits until no other caller in this process has the turn of the id.
	Turn(ctx context.Context, id string) (end func(), err error)

	// Quiet returns the access without events.
	Quiet() Access

	// Carried reports the event of a session that a store over two backends has carried over.
	Carried(ctx context.Context, id string, took time.Duration, err error)

	// Over returns a *scskit.Store over the driver with the options of this store, but this timeout
	// and this limit of a record's size. It does not seal: the driver gets the plaintext.
	Over(d driver.Driver, timeout time.Duration, maxSize int) (store any, err error)

	MaxSize() int           // of a record that can be saved
	Timeout() time.Duration // of one operation; not positive if there is none
}

// Marker is the data of a record that holds no session. A store neither finds nor lists it. It is
// that of a lock. Package scskit sets it.
var Marker string

// Of returns the access to a *scskit.Store. Package scskit sets it.
var Of func(store any) Access
