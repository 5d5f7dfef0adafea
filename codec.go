package scskit

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/tinylib/msgp/msgp"
)

// ErrCorrupt is matched, with errors.Is, by a failure of Codec.Decode for a record that no version
// of Codec and no program can have written, or not whole: it was cut short or altered. In a context
// with a tracker a Store drops such a record. A record that any other error is about it keeps, and
// fails the request; so a codec of your own should wrap ErrCorrupt where it is sure of damage.
var ErrCorrupt = errors.New("session record cannot be decoded")

// ErrNewer is matched by a failure of Codec.Decode for a record that a later version of Codec has
// written. It is not ErrCorrupt: the record is whole.
var ErrNewer = errors.New("session record was written by a newer version of scskit")

// ErrEncode is matched by every failure of Codec.Encode. The program has put into the session what
// a session cannot hold, and to try again is of no use.
var ErrEncode = errors.New("session cannot be encoded")

// Codec turns sessions into bytes and back: compact, quick and deterministic. It
// is an scs.Codec for any scs manager and any store. The zero value is ready to
// use, and safe for concurrent use.
//
// # Types
//
// A value comes back as the Go type that was put: string, []byte, bool, int,
// int8 to int64, uint, uint8 to uint64, float32, float64, time.Time,
// time.Duration, []string, []any, map[string]any, map[string]string and nil, in
// any nesting of up to 64 levels. A nil slice or map comes back nil, an empty one
// empty.
//
// Any other type, a named one such as "type Role string" included, goes through encoding/gob, and
// has to be known to gob.Register as with scs's own codec. A process that does not know it finds an
// Unknown in its place, and keeps that. As there, a pointer comes back as what was registered,
// pointer or not, and a cycle of pointers inside such a value overflows the stack.
//
// A time keeps its instant to the nanosecond and loses its monotonic reading. In
// UTC it stays in UTC. Otherwise its offset is kept and the name of
// its zone is lost: it comes back in time.Local if that has the same
// offset at that instant, else in a fixed zone. (encoding/gob does the
// same.) The deadline always comes back in UTC.
//
// # Determinism
//
// The same deadline and values always give the same bytes, with one exception: gob
// numbers types in the order in which a process meets them and writes maps in
// random order, so values that go through it may differ in their
// bytes between processes and, if they hold maps, between calls.
//
// # Format
//
// The byte 0xC1, the deadline as a MessagePack timestamp, and a MessagePack map
// whose keys are strictly ascending, byte by byte. 0xC1 begins no gob stream (they
// begin with 0x00 to 0x7F or 0xF8 to 0xFF), no UTF-8 text and no MessagePack
// value, which all leave it unused. Types that MessagePack does not tell apart are
// extensions 16 to 30.
//
// A later version may add extensions 31 to 127, which this one decodes to Unknown, or another
// format, which it refuses with ErrNewer: 0xC1, and a number below 0x80.
//
// Decode also reads what scs.GobCodec wrote, so a manager with live sessions can be
// moved to Codec; the sessions take the new format as they are saved.
//
// # Hostile input
//
// Decode neither panics nor trusts a declared length: memory is linear in the input.
// The worst case, a list of maps with one entry each, takes about 120 bytes for
// each byte; a real session takes about 6. Values that go through gob are
// walked first, and given to gob only if every count in them is backed by that
// many elements and they nest at most 1000 levels deep. Three things are gob's own
// and stay: each such value costs up to ten kilobytes, which gob takes to set up a
// decoder; a registered type may do what it likes in GobDecode, though a panic
// there is contained; and whoever can write records, and knows a struct type
// that is registered, can make gob misread a field that the struct does not have,
// and allocate for a map what the record claims. An application that
// registers no struct types is not exposed to the last.
//
// Nothing that Decode returns shares memory with its input. The strings of one
// session share one copy of the record, which lives as long as any of them.
type Codec struct{}

var _ scs.Codec = Codec{}

const (
	version1 = 0xc1

	// maxDepth is how many containers may enclose a value, the session's own map
	// being the first.
	maxDepth = 64

	// maxRecord is as much as MessagePack's lengths can count.
	maxRecord = math.MaxUint32
)

// The MessagePack extensions that tell Go types apart. They are part of the format.
// The numbers below 16 are left alone because the msgp library has its own use for some.
const (
	extTimestamp  = -1 // MessagePack's own: time.Time in UTC
	extInt8       = 16 // this and all integers below: 1, 2, 4 or 8 bytes, as few as hold it
	extInt16      = 17
	extInt32      = 18
	extInt64      = 19
	extUint       = 20
	extUint8      = 21
	extUint16     = 22
	extUint32     = 23
	extUint64     = 24
	extDuration   = 25 // nanoseconds
	extZonedTime  = 26 // Unix seconds (8), nanoseconds (4), seconds east of UTC (4)
	extNil        = 27 // a nil slice or map: the nil… byte that says of which type
	extStrings    = 28 // []string: an array of strings
	extStringsMap = 29 // map[string]string: a map of strings
	extGob        = 30 // anything else: a gob stream of one interface value
)

const (
	nilBytes      = 0
	nilStrings    = 1
	nilSlice      = 2
	nilMap        = 3
	nilStringsMap = 4
)

// Encode returns the record of a session. An error matches ErrEncode and names the key and the Go
// type of the value that cannot be encoded, never the value. A nil map is encoded as an empty one.
func (Codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	var buf [keysOnStack]string
	keys := sortedKeys(buf[:0], values)
	size := 1 + 15 + containerSize(len(keys))
	for _, key := range keys {
		size += stringSize(key) + sizeHint(values[key])
	}
	b, err := appendUTC(append(make([]byte, 0, size), version1), deadline)
	if err != nil {
		return nil, &encodeError{"deadline", err}
	}
	b = msgp.AppendMapHeader(b, uint32(len(keys)))
	for _, key := range keys {
		b = msgp.AppendString(b, key)
		if b, err = appendValue(b, values[key], 1); err != nil {
			return nil, &encodeError{fmt.Sprintf("key %q", key), err}
		}
	}
	if uint64(len(b)) > maxRecord {
		return nil, &encodeError{"session", errors.New("larger than 4 GiB")}
	}
	return b, nil
}

// encodeError is the failure of an Encode.
type encodeError struct {
	what string
	err  error
}

func (e *encodeError) Error() string { return "scskit: encode: " + e.what + ": " + e.err.Error() }

func (e *encodeError) Unwrap() error { return e.err }

func (e *encodeError) Is(target error) bool { return target == ErrEncode }

// Decode returns the deadline, in UTC, and the values of a record that Encode or scs.GobCodec
// wrote. The map is never nil unless there is an error, which then matches ErrCorrupt or ErrNewer
// and holds nothing of the record. (A record of scs.GobCodec can also be too full of types that the
// process has not registered.)
func (Codec) Decode(record []byte) (time.Time, map[string]any, error) {
	if !isVersion1(record) {
		return decodeLegacy(record)
	}
	d := decoder{rest: record[1:], record: string(record), build: true}
	deadline, err := d.header()
	if err != nil {
		return time.Time{}, nil, err
	}
	values, err := d.session()
	if err != nil {
		return time.Time{}, nil, err
	}
	return deadline, values, nil
}

// ownCodec is Codec with what only a Store asks for. These methods are not Codec's own: a codec
// that embeds Codec and changes what it writes would inherit them, and they would misread it.
type ownCodec struct{ Codec }

func isOwn(codec scs.Codec) bool {
	switch codec.(type) {
	case Codec, *Codec, ownCodec:
		return true
	}
	return false
}

// check returns nil exactly when Decode would succeed. It does not allocate unless
// the record holds gob.
func (ownCodec) check(record []byte) error {
	if !isVersion1(record) {
		_, _, err := decodeLegacy(record)
		return err
	}
	d := decoder{rest: record[1:]}
	if _, err := d.header(); err != nil {
		return err
	}
	_, err := d.session()
	return err
}

// deadline returns the deadline of a record without looking at its values, or
// false if the record does not begin with one. A record of scs.GobCodec has
// to be decoded for it.
func (ownCodec) deadline(record []byte) (time.Time, bool) {
	if !isVersion1(record) {
		deadline, _, err := decodeLegacy(record)
		return deadline, err == nil
	}
	d := decoder{rest: record[1:]}
	deadline, err := d.header()
	return deadline, err == nil
}

// holdsGob reports whether a record in the format of Codec holds a value that went through gob.
func holdsGob(record []byte) bool {
	if !isVersion1(record) {
		return false
	}
	d := decoder{rest: record[1:]}
	if _, err := d.header(); err != nil {
		return false
	}
	_, err := d.session()
	return err == nil && d.gob
}

func isVersion1(record []byte) bool {
	return len(record) > 0 && record[0] == version1
}
