package codec

import (
	"encoding/binary"
	"math"
	"time"
)

// extended reads a value that is an extension, inside depth containers.
func (d *decoder) extended(depth int) (any, error) {
	typ, payload, err := d.extension()
	if err != nil {
		return nil, err
	}
	switch typ {
	case extTimestamp:
		t, err := timestamp(payload)
		return box(d, t, err)
	case extZonedTime:
		return d.zonedTime(payload)
	case extInt8, extInt16, extInt32, extInt64, extDuration:
		return d.signed(typ, payload)
	case extUint, extUint8, extUint16, extUint32, extUint64:
		return d.unsigned(typ, payload)
	case extNil:
		return typedNil(payload)
	case extStrings:
		end := d.enter(payload)
		s, err := d.strings()
		return box(d, s, d.leave(end, err))
	case extStringsMap:
		end := d.enter(payload)
		m, err := d.stringsMap()
		return box(d, m, d.leave(end, err))
	case extGob:
		return d.gobValue(payload, depth)
	default:
		if typ > extGob {
			return d.unknown(typ, payload)
		}
		return nil, errMalformed
	}
}

// extension reads an extension. The msgp library has no function for this that does not allocate.
func (d *decoder) extension() (typ int8, payload []byte, err error) {
	var (
		b = d.rest
		n uint64
		h int // the size of the header; its last byte is the type
	)
	if len(b) < 6 {
		// Extend it to the longest header, so that the code below can read a length.
		var short [6]byte
		copy(short[:], b)
		b = short[:]
	}
	switch b[0] {
	case 0xd4:
		n, h = 1, 2
	case 0xd5:
		n, h = 2, 2
	case 0xd6:
		n, h = 4, 2
	case 0xd7:
		n, h = 8, 2
	case 0xd8:
		n, h = 16, 2
	case 0xc7:
		n, h = uint64(b[1]), 3
	case 0xc8:
		n, h = uint64(binary.BigEndian.Uint16(b[1:])), 4
	case 0xc9:
		n, h = uint64(binary.BigEndian.Uint32(b[1:])), 6
	default:
		return 0, nil, errMalformed
	}
	if len(d.rest) < h || n > uint64(len(d.rest)-h) {
		return 0, nil, errMalformed
	}
	end := h + int(n)
	typ, payload = int8(b[h-1]), d.rest[h:end]
	d.rest = d.rest[end:]
	return typ, payload, nil
}

// enter moves the decoder back to the start of the payload that was read last, so that the payload
// can be decoded in place: substring depends on the position in the record. It returns the number
// of bytes after the payload, for leave.
func (d *decoder) enter(payload []byte) (end int) {
	end = len(d.rest)
	d.rest = payload[: len(payload)+end : len(payload)+end]
	return end
}

// leave checks that decoding stopped at the end of the payload.
func (d *decoder) leave(end int, err error) error {
	if err == nil && len(d.rest) != end {
		return errMalformed
	}
	return err
}

// timestamp reads the payload of a MessagePack timestamp.
func timestamp(p []byte) (time.Time, error) {
	var sec, nsec int64
	switch len(p) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(p))
	case 8:
		v := binary.BigEndian.Uint64(p)
		sec, nsec = int64(v&(1<<34-1)), int64(v>>34)
	case 12:
		sec, nsec = int64(binary.BigEndian.Uint64(p[4:])), int64(binary.BigEndian.Uint32(p))
	default:
		return time.Time{}, errMalformed
	}
	if nsec >= int64(time.Second) {
		return time.Time{}, errMalformed
	}
	return time.Unix(sec, nsec).UTC(), nil
}

func (d *decoder) zonedTime(p []byte) (any, error) {
	if len(p) != 16 {
		return nil, errMalformed
	}
	nsec := int64(binary.BigEndian.Uint32(p[8:]))
	if nsec >= int64(time.Second) {
		return nil, errMalformed
	}
	if !d.build {
		return nil, nil
	}
	t := time.Unix(int64(binary.BigEndian.Uint64(p)), nsec)
	offset := int(int32(binary.BigEndian.Uint32(p[12:])))
	if _, local := t.Zone(); local != offset {
		t = t.In(time.FixedZone("", offset))
	}
	return t, nil
}

func (d *decoder) signed(typ int8, p []byte) (any, error) {
	var v int64
	switch len(p) {
	case 1:
		v = int64(int8(p[0]))
	case 2:
		v = int64(int16(binary.BigEndian.Uint16(p)))
	case 4:
		v = int64(int32(binary.BigEndian.Uint32(p)))
	case 8:
		v = int64(binary.BigEndian.Uint64(p))
	default:
		return nil, errMalformed
	}
	switch {
	case typ == extInt64:
		return box(d, v, nil)
	case typ == extDuration:
		return box(d, time.Duration(v), nil)
	case typ == extInt8 && v == int64(int8(v)):
		return box(d, int8(v), nil)
	case typ == extInt16 && v == int64(int16(v)):
		return box(d, int16(v), nil)
	case typ == extInt32 && v == int64(int32(v)):
		return box(d, int32(v), nil)
	default:
		return nil, errMalformed
	}
}

func (d *decoder) unsigned(typ int8, p []byte) (any, error) {
	var v uint64
	switch len(p) {
	case 1:
		v = uint64(p[0])
	case 2:
		v = uint64(binary.BigEndian.Uint16(p))
	case 4:
		v = uint64(binary.BigEndian.Uint32(p))
	case 8:
		v = binary.BigEndian.Uint64(p)
	default:
		return nil, errMalformed
	}
	switch {
	case typ == extUint64:
		return box(d, v, nil)
	case typ == extUint && v <= math.MaxUint:
		return box(d, uint(v), nil)
	case typ == extUint8 && v <= math.MaxUint8:
		return box(d, uint8(v), nil)
	case typ == extUint16 && v <= math.MaxUint16:
		return box(d, uint16(v), nil)
	case typ == extUint32 && v <= math.MaxUint32:
		return box(d, uint32(v), nil)
	default:
		return nil, errMalformed
	}
}

func typedNil(p []byte) (any, error) {
	if len(p) != 1 {
		return nil, errMalformed
	}
	switch p[0] {
	case nilBytes:
		return []byte(nil), nil
	case nilStrings:
		return []string(nil), nil
	case nilSlice:
		return []any(nil), nil
	case nilMap:
		return map[string]any(nil), nil
	case nilStringsMap:
		return map[string]string(nil), nil
	default:
		return nil, errMalformed
	}
}
