package codec

import (
	"errors"
	"fmt"
)

// Unknown is documented as scskit.Unknown.
type Unknown struct {
	ext  int8
	data string
}

// Type returns the name under which the value's type was registered with gob, such as
// "example.com/shop.Cart". It is empty if the value was not encoded with gob.
func (u Unknown) Type() string {
	if u.ext != extGob {
		return ""
	}
	w, _, _ := walkGobValue([]byte(u.data))
	return w.name
}

// String names the type. It does not contain the value.
func (u Unknown) String() string {
	if name := u.Type(); name != "" {
		return fmt.Sprintf("a value of type %q that this process cannot decode", name)
	}
	return "a value that this process cannot decode"
}

// GoString returns String, so that no verb of package fmt prints the value.
func (u Unknown) GoString() string { return u.String() }

var errNotDecoded = errors.New("a scskit.Unknown that Decode did not return")

func appendUnknown(b []byte, u Unknown) ([]byte, error) {
	if u.ext < extGob {
		return b, errNotDecoded
	}
	return append(appendExt(b, u.ext, len(u.data)), u.data...), nil
}

// unknown returns payload, the bytes that were read last, as an Unknown.
func (d *decoder) unknown(ext int8, payload []byte) (any, error) {
	if !d.build {
		return nil, nil
	}
	return Unknown{ext, d.substring(payload)}, nil
}

// gobValue reads a value encoded with gob. It fails only for streams that gob cannot have written.
// A valid value that this process cannot decode becomes an Unknown.
func (d *decoder) gobValue(payload []byte, depth int) (any, error) {
	d.gob = true
	_, stream, ok := walkGobValue(payload)
	if !ok {
		return nil, errGob
	}
	if !d.build {
		return nil, nil
	}
	if v, ok := readGobValue(stream, depth); ok {
		return v, nil
	}
	return d.unknown(extGob, payload)
}

// walkGobValue validates a gob stream of one interface value, not nil, and returns it as
// normalizeGob does.
func walkGobValue(payload []byte) (w *gobWalk, stream []byte, ok bool) {
	w = newGobWalk(payload)
	stream, ok = w.normalize()
	return w, stream, ok && w.top == gobInterface && w.name != ""
}

// readGobValue decodes a stream that walkGobValue returned, as a value inside depth containers. It
// returns false if this process cannot decode the value, or cannot encode it again.
func readGobValue(stream []byte, depth int) (v any, ok bool) {
	if decodeGobStream(stream, &v) != nil {
		return nil, false
	}
	if isNative(v) {
		// It comes from a record of scs.GobCodec, as an Unknown of a process that could not decode it.
		if _, err := appendValue(nil, v, depth); err != nil {
			return nil, false
		}
	}
	return v, true
}
