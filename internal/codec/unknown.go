package codec

import (
	"errors"
	"fmt"
)

// Unknown is scskit.Unknown.
type Unknown struct {
	ext  int8
	data string
}

// Type returns the name under which the value's type was registered with gob, such as
// "example.com/shop.Cart". It is empty for a value that is not gob's.
func (u Unknown) Type() string {
	if u.ext != extGob {
		return ""
	}
	w, _, _ := walkGobValue([]byte(u.data))
	return w.name
}

// String names the type and quotes nothing of the value.
func (u Unknown) String() string {
	if name := u.Type(); name != "" {
		return fmt.Sprintf("a value of type %q, which this process cannot read", name)
	}
	return "a value that this process cannot read"
}

// GoString is String, so that no verb of package fmt prints the value.
func (u Unknown) GoString() string { return u.String() }

var errNotDecoded = errors.New("a scskit.Unknown that no Decode has returned")

func appendUnknown(b []byte, u Unknown) ([]byte, error) {
	if u.ext < extGob {
		return b, errNotDecoded
	}
	return append(appendExt(b, u.ext, len(u.data)), u.data...), nil
}

// unknown returns the payload that was read last as an Unknown.
func (d *decoder) unknown(ext int8, payload []byte) (any, error) {
	if !d.build {
		return nil, nil
	}
	return Unknown{ext, d.cut(payload)}, nil
}

// gobValue reads a value that went through gob. What gob can write is not damaged, whether or not
// this process can read it.
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

// walkGobValue walks a gob stream of one interface value that is not nil, and returns
// it as normalizeGob does.
func walkGobValue(payload []byte) (w *gobWalk, stream []byte, ok bool) {
	w = newGobWalk(payload)
	stream, ok = w.normalize()
	return w, stream, ok && w.top == gobInterface && w.name != ""
}

// readGobValue decodes a stream that walkGobValue has returned, to be enclosed by depth
// containers. It returns false if this process cannot decode the value, or not encode it again.
func readGobValue(stream []byte, depth int) (v any, ok bool) {
	if decodeGobStream(stream, &v) != nil {
		return nil, false
	}
	if isNative(v) {
		// It was in a record of scs.GobCodec, in a process that could not read it.
		if _, err := appendValue(nil, v, depth); err != nil {
			return nil, false
		}
	}
	return v, true
}
