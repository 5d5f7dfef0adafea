package scskit

import (
	"bytes"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/codec"
)

// ErrCorrupt is matched, with errors.Is, by the error of Codec.Decode for a damaged record: one
// that was cut short or altered, so that no version of Codec and no program can have written it. In
// a context with a tracker a Store deletes such a record. For any other error of Decode the Store
// keeps the record, and the request fails. A codec of your own should therefore wrap ErrCorrupt if
// it is sure that the record is damaged.
var ErrCorrupt = codec.ErrCorrupt

// ErrNewer is matched by the error of Codec.Decode for a record that a later version of Codec has
// written. Such an error does not match ErrCorrupt: the record is not damaged.
var ErrNewer = codec.ErrNewer

// ErrEncode is matched by every error of Codec.Encode. It means that a session value cannot be
// stored. Trying again does not help.
var ErrEncode = codec.ErrEncode

// Codec encodes sessions. Its records are compact and deterministic. It is an scs.Codec for any scs
// manager and any store. The zero value is ready to use, and safe for concurrent use.
//
// # Types
//
// A value comes back with the Go type that it was put with: string, []byte, bool, int, int8 to
// int64, uint, uint8 to uint64, float32, float64, time.Time, time.Duration, []string, []any,
// map[string]any, map[string]string and nil, nested up to 64 levels deep. A nil slice or map comes
// back nil, an empty one empty.
//
// Any other type, including a named one such as "type Role string", is encoded with encoding/gob.
// It must be registered with gob.Register, as for scs's own codec. A process that has not
// registered the type gets an Unknown, and keeps its bytes. As in scs's codec, a pointer comes back
// as the type that was registered, pointer or not, and a cycle of pointers inside such a value
// overflows the stack.
//
// A time keeps its instant to the nanosecond and loses its monotonic reading. A time in UTC stays
// in UTC. Any other time keeps its offset and loses the name of its zone: it comes back in
// time.Local if that has the same offset at that instant, and otherwise in a fixed zone.
// (encoding/gob does the same.) The deadline always comes back in UTC.
//
// # Determinism
//
// The same deadline and values always give the same bytes, except for values encoded with gob. gob
// numbers types in the order in which a process first uses them, and writes maps in random order.
// The bytes of such values may differ between processes and, if they hold maps, between calls.
//
// # Format
//
// A record is the byte 0xC1, the deadline as a MessagePack timestamp, and a MessagePack map whose
// keys are strictly ascending, byte by byte. 0xC1 starts no gob stream (these start with 0x00 to
// 0x7F or 0xF8 to 0xFF), no UTF-8 text and no MessagePack value. Types that MessagePack does not
// distinguish are extensions 16 to 30.
//
// A later version may add extensions 31 to 127, which this version decodes to Unknown. It may also
// use another format, which starts with 0xC1 and a number below 0x80, and for which this version
// returns ErrNewer.
//
// Decode also reads records of scs.GobCodec, so you can switch a manager with live sessions to
// Codec. Each session gets the new format when it is next saved.
//
// # Hostile input
//
// Decode does not panic, and does not trust declared lengths: its memory is linear in the size of
// the input. The worst case, a list of maps with one entry each, takes about 120 bytes for each
// byte of input. A real session takes about 6. Before Decode passes a value to gob, it checks that
// the value has as many elements as each count in it declares, and is nested at most 1000 levels
// deep. Three properties of gob remain:
//
//   - Each gob value costs up to ten kilobytes to set up a decoder.
//   - The GobDecode method of a registered type may do anything. A panic in it is recovered.
//   - An attacker who can write records and knows a registered struct type can make gob misread a
//     field that the struct does not have, and allocate the size that the record declares for a
//     map. An application that registers no struct types is not affected.
//
// Nothing that Decode returns shares memory with its input. The strings of one session share one
// copy of the record, which lives as long as any of them.
type Codec struct{}

var _ scs.Codec = Codec{}

// Encode returns the record of a session. An error matches ErrEncode and names the key and the Go
// type of the value that cannot be encoded, but never the value. A nil map is encoded as an empty
// one.
func (Codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return codec.Encode(deadline, values)
}

// Decode returns the deadline, in UTC, and the values of a record of Encode or scs.GobCodec. The
// map is never nil unless there is an error. The error matches ErrCorrupt or ErrNewer, with one
// exception: a record of scs.GobCodec that holds too much data of types that the process has not
// registered. The text of an error holds nothing of the record.
func (Codec) Decode(record []byte) (time.Time, map[string]any, error) {
	return codec.Decode(record)
}

// Unknown is a session value that this process cannot decode: its type is not registered with
// gob.Register, is defined differently here, or was added by a later version of Codec. This happens
// during a rolling deploy, when old instances read sessions that new ones have written.
//
// Codec encodes an Unknown to the bytes that it was decoded from. The value therefore survives
// every change of the session, including a merge and a renewal. Otherwise it behaves like a value
// of any other type: Put replaces it, Remove and Clear remove it, Keys returns its key, GetString
// and similar methods return their zero value, and a type assertion on the result of Get fails.
// Only Codec can create an Unknown that can be encoded.
//
// Two Unknowns are equal, also with ==, if they hold the same bytes.
//
// The method Type returns the name that the value's type was registered with in gob, such as
// "example.com/shop.Cart", or "" if the value was not encoded with gob. String and GoString return
// the type and nothing of the value.
type Unknown = codec.Unknown

// storeCodec is the codec of a store. If that is Codec, it avoids decoding whole records.
type storeCodec struct {
	scs.Codec
	own bool // it is Codec itself; a type that embeds Codec may change its records
}

func newStoreCodec(c scs.Codec) storeCodec {
	switch c.(type) {
	case nil, Codec, *Codec:
		return storeCodec{Codec{}, true}
	}
	return storeCodec{c, false}
}

// check returns nil if and only if Decode would succeed.
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

// ended reports whether the deadline of a session has passed, although its record has not expired.
// A Store never saves such a record: somebody has changed the expiry in the backend. Deadlines of
// other codecs are not checked, since that would decode the whole record.
func (c storeCodec) ended(record []byte, now time.Time) bool {
	if !c.own {
		return false
	}
	deadline, ok := codec.Deadline(record)
	return ok && !deadline.IsZero() && !deadline.After(now)
}

// pick returns one value of a session, or nil if there is none under the key.
func (c storeCodec) pick(record []byte, key string) (any, error) {
	if c.own {
		return codec.Pick(record, key)
	}
	_, values, err := c.Decode(record)
	return values[key], err
}

// same reports whether two records hold equal sessions. Their bytes may differ, since gob writes
// maps in random order. Under Codec, two records are compared by value only if both are in its
// format and hold gob values. All others are equal only if their bytes are.
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
