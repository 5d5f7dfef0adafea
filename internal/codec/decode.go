package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// Decoding errors do not quote the record.
var (
	errFormat    = fmt.Errorf("scskit: decode: %w: unknown format", ErrCorrupt)
	errMalformed = fmt.Errorf("scskit: decode: %w: malformed or cut short", ErrCorrupt)
	errTrailing  = fmt.Errorf("scskit: decode: %w: bytes after its end", ErrCorrupt)
	errKeyOrder  = fmt.Errorf("scskit: decode: %w: keys repeated or out of order", ErrCorrupt)
	errTooDeep   = fmt.Errorf("scskit: decode: %w: nested more than 64 levels deep", ErrCorrupt)
	errGob       = fmt.Errorf("scskit: decode: %w: its gob data is damaged", ErrCorrupt)

	errNewer = fmt.Errorf("scskit: decode: %w", ErrNewer)
)

// decoder reads one record. If build is false, it validates the record in the same way, but builds
// no values, and its methods return zero values.
type decoder struct {
	rest   []byte // the end of the record that is not yet read
	record string // a copy of the whole record; decoded strings are substrings of it
	build  bool
	gob    bool // the record holds a value encoded with gob

	// remaining is the number of elements that the open containers have yet to read. Each takes at
	// least one byte. A container is rejected before it is allocated if the rest of the record
	// cannot hold its elements in addition to these. Otherwise each of several nested containers
	// could claim the whole rest.
	remaining int
}

// header reads the deadline, which follows the byte of the format. A later version of the format
// has a number below 0x80 in its place.
func (d *decoder) header() (time.Time, error) {
	if len(d.rest) > 0 && d.rest[0] < 0x80 {
		return time.Time{}, errNewer
	}
	typ, payload, err := d.extension()
	if err != nil {
		return time.Time{}, err
	}
	if typ != extTimestamp {
		return time.Time{}, errMalformed
	}
	return timestamp(payload)
}

func (d *decoder) session() (map[string]any, error) {
	values, err := d.mapping(0)
	if err == nil && len(d.rest) > 0 {
		err = errTrailing
	}
	return values, err
}

// value reads one value inside depth containers.
func (d *decoder) value(depth int) (any, error) {
	switch msgp.NextType(d.rest) {
	case msgp.StrType:
		s, err := d.text()
		return box(d, s, err)
	case msgp.IntType, msgp.UintType:
		v, rest, err := msgp.ReadIntBytes(d.rest)
		return consume(d, v, rest, err)
	case msgp.BoolType:
		v, rest, err := msgp.ReadBoolBytes(d.rest)
		return consume(d, v, rest, err)
	case msgp.Float64Type:
		v, rest, err := msgp.ReadFloat64Bytes(d.rest)
		return consume(d, v, rest, err)
	case msgp.Float32Type:
		v, rest, err := msgp.ReadFloat32Bytes(d.rest)
		return consume(d, v, rest, err)
	case msgp.NilType:
		d.rest = d.rest[1:]
		return nil, nil
	case msgp.BinType:
		if err := d.checkLength32(); err != nil {
			return nil, err
		}
		v, rest, err := msgp.ReadBytesZC(d.rest)
		if err != nil {
			return nil, errMalformed
		}
		d.rest = rest
		if !d.build {
			return nil, nil
		}
		return append(make([]byte, 0, len(v)), v...), nil
	case msgp.MapType:
		m, err := d.mapping(depth)
		return box(d, m, err)
	case msgp.ArrayType:
		s, err := d.slice(depth)
		return box(d, s, err)
	case msgp.ExtensionType, msgp.TimeType, msgp.Complex64Type, msgp.Complex128Type:
		return d.extended(depth)
	default:
		return nil, errMalformed
	}
}

// consume ends a read by the msgp library, which returned v, rest and err.
func consume[T any](d *decoder, v T, rest []byte, err error) (any, error) {
	if err != nil {
		return nil, errMalformed
	}
	d.rest = rest
	return box(d, v, nil)
}

// box returns v as an interface value, or nil if the decoder builds no values.
func box[T any](d *decoder, v T, err error) (any, error) {
	if err != nil || !d.build {
		return nil, err
	}
	return v, nil
}

func (d *decoder) mapping(depth int) (map[string]any, error) {
	n, err := d.mapHeader()
	if err != nil {
		return nil, err
	}
	if depth >= maxDepth {
		return nil, errTooDeep
	}
	var m map[string]any
	if d.build {
		m = make(map[string]any, n)
	}
	var last []byte
	for i := range n {
		var key string
		if key, last, err = d.key(last, i == 0); err != nil {
			return nil, err
		}
		d.remaining--
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if d.build {
			m[key] = v
		}
	}
	return m, nil
}

func (d *decoder) slice(depth int) ([]any, error) {
	n, err := d.arrayHeader()
	if err != nil {
		return nil, err
	}
	if depth >= maxDepth {
		return nil, errTooDeep
	}
	var s []any
	if d.build {
		s = make([]any, n)
	}
	for i := range n {
		d.remaining--
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if d.build {
			s[i] = v
		}
	}
	return s, nil
}

func (d *decoder) strings() ([]string, error) {
	n, err := d.arrayHeader()
	if err != nil {
		return nil, err
	}
	var s []string
	if d.build {
		s = make([]string, n)
	}
	for i := range n {
		d.remaining--
		v, err := d.text()
		if err != nil {
			return nil, err
		}
		if d.build {
			s[i] = v
		}
	}
	return s, nil
}

func (d *decoder) stringsMap() (map[string]string, error) {
	n, err := d.mapHeader()
	if err != nil {
		return nil, err
	}
	var m map[string]string
	if d.build {
		m = make(map[string]string, n)
	}
	var last []byte
	for i := range n {
		var key string
		if key, last, err = d.key(last, i == 0); err != nil {
			return nil, err
		}
		d.remaining--
		v, err := d.text()
		if err != nil {
			return nil, err
		}
		if d.build {
			m[key] = v
		}
	}
	return m, nil
}

func (d *decoder) mapHeader() (int, error) {
	n, rest, err := msgp.ReadMapHeaderBytes(d.rest)
	return d.open(2*uint64(n), int(n), rest, err)
}

func (d *decoder) arrayHeader() (int, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(d.rest)
	return d.open(uint64(n), int(n), rest, err)
}

// open begins a container of n entries, which consist of the given number of elements.
func (d *decoder) open(elements uint64, n int, rest []byte, err error) (int, error) {
	if err != nil || len(rest) < d.remaining || elements > uint64(len(rest)-d.remaining) {
		return 0, errMalformed
	}
	d.rest = rest
	d.remaining += int(elements)
	return n, nil
}

// key reads a key of a map. Keys must be in ascending order: unless the key is the first, it must
// be greater than last. key also returns the key's bytes, to pass as last with the next key.
func (d *decoder) key(last []byte, first bool) (string, []byte, error) {
	d.remaining--
	raw, err := d.rawText()
	if err != nil {
		return "", nil, err
	}
	if !first && bytes.Compare(last, raw) >= 0 {
		return "", nil, errKeyOrder
	}
	return d.substring(raw), raw, nil
}

func (d *decoder) text() (string, error) {
	raw, err := d.rawText()
	if err != nil {
		return "", err
	}
	return d.substring(raw), nil
}

func (d *decoder) rawText() ([]byte, error) {
	if err := d.checkLength32(); err != nil {
		return nil, err
	}
	raw, rest, err := msgp.ReadStringZC(d.rest)
	if err != nil {
		return nil, errMalformed
	}
	d.rest = rest
	return raw, nil
}

// substring returns raw, the bytes that were read last, as a substring of the copied record.
func (d *decoder) substring(raw []byte) string {
	if !d.build {
		return ""
	}
	end := len(d.record) - len(d.rest)
	return d.record[end-len(raw) : end]
}

// checkLength32 rejects a string or byte slice whose 32-bit length exceeds the record. The msgp
// library converts the length to an int, which may have 32 bits.
func (d *decoder) checkLength32() error {
	if b := d.rest; len(b) >= 5 && (b[0] == 0xdb || b[0] == 0xc6) {
		if uint64(binary.BigEndian.Uint32(b[1:])) > uint64(len(b)) {
			return errMalformed
		}
	}
	return nil
}
