package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// What is wrong with a record, as far as it can be told without quoting it.
var (
	errFormat    = fmt.Errorf("scskit: decode: %w: unknown format", ErrCorrupt)
	errMalformed = fmt.Errorf("scskit: decode: %w: malformed or cut short", ErrCorrupt)
	errTrailing  = fmt.Errorf("scskit: decode: %w: bytes after its end", ErrCorrupt)
	errKeyOrder  = fmt.Errorf("scskit: decode: %w: keys repeated or out of order", ErrCorrupt)
	errTooDeep   = fmt.Errorf("scskit: decode: %w: nested more than 64 levels deep", ErrCorrupt)
	errGob       = fmt.Errorf("scskit: decode: %w: its gob data is damaged", ErrCorrupt)

	errNewer = fmt.Errorf("scskit: decode: %w", ErrNewer)
)

// decoder reads one record. Without build it walks the record under the same rules but
// makes no values, and its methods return zero ones.
type decoder struct {
	rest   []byte // what is still to be read: always the end of the record
	record string // a copy of the whole record, which strings are cut from
	build  bool
	gob    bool // a value that went through gob was met

	// owed is how many elements the containers that are open have yet to
	// read. Each takes a byte at least, so a container is refused before it is
	// allocated if the rest cannot hold both its elements and those owed
	// already. Otherwise nested containers could each claim the whole rest.
	owed int
}

// header reads the deadline, which comes after the format's byte. A later version of the format has
// a number of its own there, below 0x80.
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

// value reads one value that is enclosed by depth containers.
func (d *decoder) value(depth int) (any, error) {
	switch msgp.NextType(d.rest) {
	case msgp.StrType:
		s, err := d.text()
		return boxed(d, s, err)
	case msgp.IntType, msgp.UintType:
		v, rest, err := msgp.ReadIntBytes(d.rest)
		return taken(d, v, rest, err)
	case msgp.BoolType:
		v, rest, err := msgp.ReadBoolBytes(d.rest)
		return taken(d, v, rest, err)
	case msgp.Float64Type:
		v, rest, err := msgp.ReadFloat64Bytes(d.rest)
		return taken(d, v, rest, err)
	case msgp.Float32Type:
		v, rest, err := msgp.ReadFloat32Bytes(d.rest)
		return taken(d, v, rest, err)
	case msgp.NilType:
		d.rest = d.rest[1:]
		return nil, nil
	case msgp.BinType:
		if err := d.bound32(); err != nil {
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
		return boxed(d, m, err)
	case msgp.ArrayType:
		s, err := d.slice(depth)
		return boxed(d, s, err)
	case msgp.ExtensionType, msgp.TimeType, msgp.Complex64Type, msgp.Complex128Type:
		return d.extended(depth)
	default:
		return nil, errMalformed
	}
}

// taken ends the reading of v by the library, which left rest.
func taken[T any](d *decoder, v T, rest []byte, err error) (any, error) {
	if err != nil {
		return nil, errMalformed
	}
	d.rest = rest
	return boxed(d, v, nil)
}

// boxed makes an interface value of v if one is wanted.
func boxed[T any](d *decoder, v T, err error) (any, error) {
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
		d.owed--
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
		d.owed--
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
		d.owed--
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
		d.owed--
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

// open begins a container of n entries that consist of that many elements.
func (d *decoder) open(elements uint64, n int, rest []byte, err error) (int, error) {
	if err != nil || len(rest) < d.owed || elements > uint64(len(rest)-d.owed) {
		return 0, errMalformed
	}
	d.rest = rest
	d.owed += int(elements)
	return n, nil
}

// key reads the key of a map, which must come after the last one. It also returns
// the key's bytes, to be the last one of the next.
func (d *decoder) key(last []byte, first bool) (string, []byte, error) {
	d.owed--
	raw, err := d.rawText()
	if err != nil {
		return "", nil, err
	}
	if !first && bytes.Compare(last, raw) >= 0 {
		return "", nil, errKeyOrder
	}
	return d.cut(raw), raw, nil
}

func (d *decoder) text() (string, error) {
	raw, err := d.rawText()
	if err != nil {
		return "", err
	}
	return d.cut(raw), nil
}

func (d *decoder) rawText() ([]byte, error) {
	if err := d.bound32(); err != nil {
		return nil, err
	}
	raw, rest, err := msgp.ReadStringZC(d.rest)
	if err != nil {
		return nil, errMalformed
	}
	d.rest = rest
	return raw, nil
}

// cut returns the bytes that were read last as a piece of the copied record.
func (d *decoder) cut(raw []byte) string {
	if !d.build {
		return ""
	}
	end := len(d.record) - len(d.rest)
	return d.record[end-len(raw) : end]
}

// bound32 refuses a string or byte slice whose 32-bit length is beyond the record, because
// the library takes it for an int, which may have 32 bits.
func (d *decoder) bound32() error {
	if b := d.rest; len(b) >= 5 && (b[0] == 0xdb || b[0] == 0xc6) {
		if uint64(binary.BigEndian.Uint32(b[1:])) > uint64(len(b)) {
			return errMalformed
		}
	}
	return nil
}
