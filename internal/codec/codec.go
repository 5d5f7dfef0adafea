// Package codec encodes and decodes sessions for scskit.Codec, whose documentation describes the
// format.
package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// scskit exports these errors under the same names.
var (
	ErrCorrupt = errors.New("session record cannot be decoded")
	ErrNewer   = errors.New("session record was written by a newer version of scskit")
	ErrEncode  = errors.New("session cannot be encoded")
)

const (
	version1 = 0xc1

	// maxDepth limits how many containers enclose a value. The session's own map is the first.
	maxDepth = 64

	// maxRecord is the largest length that MessagePack can express.
	maxRecord = math.MaxUint32
)

// The MessagePack extensions that distinguish Go types. They are part of the format. They begin at
// 16 because the msgp library uses some of the lower numbers.
const (
	extTimestamp  = -1 // MessagePack's own: time.Time in UTC
	extInt8       = 16 // this and all integers below: the shortest of 1, 2, 4 or 8 bytes
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
	extNil        = 27 // a nil slice or map: one of the nil… bytes, for its type
	extStrings    = 28 // []string: an array of strings
	extStringsMap = 29 // map[string]string: a map of strings
	extGob        = 30 // any other type: a gob stream of one interface value
)

// The payloads of extNil.
const (
	nilBytes      = 0
	nilStrings    = 1
	nilSlice      = 2
	nilMap        = 3
	nilStringsMap = 4
)

// Encode returns the record of a session. An error matches ErrEncode and names the key and the Go
// type of the value that cannot be encoded, never the value. A nil map is encoded as an empty one.
func Encode(deadline time.Time, values map[string]any) ([]byte, error) {
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

// encodeError is the error of Encode.
type encodeError struct {
	what string
	err  error
}

func (e *encodeError) Error() string { return "scskit: encode: " + e.what + ": " + e.err.Error() }

func (e *encodeError) Unwrap() error { return e.err }

func (e *encodeError) Is(target error) bool { return target == ErrEncode }

// Decode returns the deadline, in UTC, and the values of a record that Encode or scs.GobCodec
// wrote. On success the map is not nil. An error matches ErrCorrupt or ErrNewer, with one
// exception: a record of scs.GobCodec may hold too much data of types that the process has not
// registered. Errors contain nothing of the record.
func Decode(record []byte) (time.Time, map[string]any, error) {
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

// Check returns nil exactly if Decode would succeed. It does not allocate unless the record holds
// gob.
func Check(record []byte) error {
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

// Deadline returns the deadline of a record without reading its values. It returns false if the
// record does not begin with a deadline. It decodes a record of scs.GobCodec as a whole.
func Deadline(record []byte) (time.Time, bool) {
	if !isVersion1(record) {
		deadline, _, err := decodeLegacy(record)
		return deadline, err == nil
	}
	d := decoder{rest: record[1:]}
	deadline, err := d.header()
	return deadline, err == nil
}

// HoldsGob reports whether a record in the format of Codec holds a value encoded with gob.
func HoldsGob(record []byte) bool {
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

// Pick returns the value of one key, or nil if there is none. It does not read the record beyond
// the key, and builds no other value.
func Pick(record []byte, key string) (any, error) {
	if !isVersion1(record) {
		_, values, err := decodeLegacy(record)
		return values[key], err
	}
	d := decoder{rest: record[1:]}
	if found, err := d.seek(key); !found {
		return nil, err
	}
	return d.pickValue(record)
}

// PickText returns the text of one key, or nil if there is none or it is no string. For a record in
// the format of Codec it does not allocate: the text is a part of the record.
func PickText(record []byte, key string) []byte {
	if !isVersion1(record) {
		_, values, _ := decodeLegacy(record)
		text, _ := values[key].(string)
		return []byte(text)
	}
	d := decoder{rest: record[1:]}
	if found, _ := d.seek(key); !found || msgp.NextType(d.rest) != msgp.StrType {
		return nil
	}
	text, _ := d.rawText()
	return text
}

// seek reads up to the value of one key. It stops early if there is none, since keys are sorted.
func (d *decoder) seek(key string) (found bool, err error) {
	if _, err := d.header(); err != nil {
		return false, err
	}
	n, err := d.mapHeader()
	if err != nil {
		return false, err
	}
	var last []byte
	for i := range n {
		if _, last, err = d.key(last, i == 0); err != nil {
			return false, err
		}
		d.remaining--
		switch order := bytes.Compare(last, []byte(key)); {
		case order > 0:
			return false, nil
		case order == 0:
			return true, nil
		}
		if _, err := d.value(1); err != nil {
			return false, err
		}
	}
	return false, nil
}

// pickValue reads the value of the key for Pick. It copies a string by itself, not as part of the
// whole record.
func (d *decoder) pickValue(record []byte) (any, error) {
	switch msgp.NextType(d.rest) {
	case msgp.StrType:
		raw, err := d.rawText()
		if err != nil {
			return nil, err
		}
		return string(raw), nil
	case msgp.IntType, msgp.UintType:
	default:
		d.record = string(record)
	}
	d.build = true
	return d.value(1)
}
