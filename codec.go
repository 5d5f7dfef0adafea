package scskit

import (
	"bytes"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/codec"
)

// ErrCorrupt is matched, with errors.Is, by a failure of Codec.Decode for a record that no version
// of Codec and no program can have written, or not whole: it was cut short or altered. In a context
// with a tracker a Store drops such a record. A record that any other error is about it keeps, and
// fails the request; so a codec of your own should wrap ErrCorrupt where it is sure of damage.
var ErrCorrupt = codec.ErrCorrupt

// ErrNewer is matched by a failure of Codec.Decode for a record that a later version of Codec has
// written. It is not ErrCorrupt: the record is whole.
var ErrNewer = codec.ErrNewer

// ErrEncode is matched by every failure of Codec.Encode. The program has put into the session what
// a session cannot hold, and to try again is of no use.
var ErrEncode = codec.ErrEncode

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

// Encode returns the record of a session. An error matches ErrEncode and names the key and the Go
// type of the value that cannot be encoded, never the value. A nil map is encoded as an empty one.
func (Codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return codec.Encode(deadline, values)
}

// Decode returns the deadline, in UTC, and the values of a record that Encode or scs.GobCodec
// wrote. The map is never nil unless there is an error, which then matches ErrCorrupt or ErrNewer
// and holds nothing of the record. (A record of scs.GobCodec can also be too full of types that the
// process has not registered.)
func (Codec) Decode(record []byte) (time.Time, map[string]any, error) {
	return codec.Decode(record)
}

// Unknown is a session value that this process cannot read and keeps for those that can: its
// type is not registered here with gob.Register, or has another shape here, or is one that a
// later version of Codec has added. During a rolling deploy the instances of the old program find
// what the new ones have put.
//
// Codec decodes such a value to an Unknown and encodes an Unknown to the very bytes that it was
// decoded from. Under its key the value survives every change of the session, a merge and a
// renewal. It is like a value of any other type: Put replaces it, Remove and Clear remove it,
// Keys returns its key, GetString and its like return their zero value, and a
// type assertion on what Get returns fails. Only Codec makes an Unknown that can be encoded.
//
// Two are equal, also with ==, if they hold the same bytes.
//
// Its method Type returns the name under which the value's type was registered with gob, such as
// "example.com/shop.Cart", and "" for a value that is not gob's. String names the type and nothing of
// the value.
type Unknown = codec.Unknown

// storeCodec is the codec of a store, with shortcuts for Codec.
type storeCodec struct {
	scs.Codec
	own bool // it is Codec itself: one that embeds Codec may change what it writes
}

func newStoreCodec(c scs.Codec) storeCodec {
	switch c.(type) {
	case nil, Codec, *Codec:
		return storeCodec{Codec{}, true}
	}
	return storeCodec{c, false}
}

// check returns nil exactly if Decode would succeed.
func (c storeCodec) check(record []byte) error {
	if c.own {
		return codec.Check(record)
	}
	_, _, err := c.Decode(record)
	return err
}

// deadline returns the absolute deadline of a session.
func (c storeCodec) deadline(record []byte) (time.Time, bool) {
	if c.own {
		return codec.Deadline(record)
	}
	deadline, _, err := c.Decode(record)
	return deadline, err == nil
}

// pick returns one value of a session, or nil if there is none under the key.
func (c storeCodec) pick(record []byte, key string) (any, error) {
	if c.own {
		return codec.Pick(record, key)
	}
	_, values, err := c.Decode(record)
	return values[key], err
}

// same reports whether two encodings hold equal sessions, though their bytes may differ: gob
// writes a map in random order. Records of Codec without a value that goes through gob
// are equal only if their bytes are, and so are records in different formats.
func (c storeCodec) same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if c.own && (!codec.HoldsGob(a) || !codec.HoldsGob(b)) {
		return false
	}
	deadlineA, valuesA, err := c.Decode(a)
	if err != nil {
		return false
	}
	deadlineB, valuesB, err := c.Decode(b)
	if err != nil || !deadlineA.Equal(deadlineB) || len(valuesA) != len(valuesB) {
		return false
	}
	for key, value := range valuesA {
		if other, ok := valuesB[key]; !ok || !codec.Equal(value, other) {
			return false
		}
	}
	return true
}
