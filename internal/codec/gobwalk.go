package codec

import (
	"encoding/binary"
	"math"
	"slices"
)

const (
	// maxGobDepth is how deep values may nest in a gob stream.
	maxGobDepth = 1000

	// maxGobID is the highest type number. gob holds them in 32 bits.
	maxGobID = 1<<30 - 1
)

// normalizeGob walks a gob stream of one value and returns it with every type
// definition in front of the value. It returns false for a stream that is
// damaged, or that encoding/gob does not write.
//
// gob's decoder believes a stream: a map that claims a billion entries is allocated
// before the first is read, and a list that is linked to itself deep enough overflows
// the stack. Here every count has been read to its end and every level counted. The
// stream is written anew because gob, where it skips a field, reads type definitions
// that lie between the parts of a value differently than where it decodes one, so
// that what was walked might otherwise not be what is decoded.
//
// One gap is left. Where gob skips a field with a nil in a slice or map of interfaces,
// it takes the bytes behind the nil for a part of it. A stream that is made for
// a registered struct type with such a field added can still claim what it likes. A
// struct at the top may therefore have only the fields named.
func normalizeGob(stream []byte, fields ...string) ([]byte, bool) {
	return newGobWalk(stream).normalize(fields...)
}

func newGobWalk(stream []byte) *gobWalk {
	return &gobWalk{rest: stream, types: make(map[int64]gobType)}
}

func (w *gobWalk) normalize(fields ...string) ([]byte, bool) {
	w.top = w.typeSequence(false)
	for _, f := range w.types[w.top].fields {
		if !slices.Contains(fields, f.name) {
			return nil, false
		}
	}
	w.value = appendGobInt(w.value, w.top)
	w.whole(w.top, 0)
	w.flush()
	if w.bad || len(w.message) > 0 || len(w.rest) > 0 || uint64(len(w.value)) > math.MaxUint32 {
		return nil, false
	}
	return appendGobMessage(w.definitions, w.value), true
}

// gobWalk reads a stream as gob's decoder does. After a fault it reads
// nothing but zeros.
type gobWalk struct {
	rest        []byte // messages that are not yet begun
	message     []byte // what is left of the current one
	mark        []byte // the current message from where value ends
	definitions []byte // what was read, as messages of their own
	value       []byte // what was read, without definitions
	types       map[int64]gobType
	top         int64  // the type of the whole
	name        string // the registered type of the first interface value
	values      *gobValues
	bad         bool
}

// gobType is a type as the stream defines it. Types below 64 are gob's own.
type gobType struct {
	kind   int
	key    int64
	elem   int64
	length int64
	fields []gobField
	raw    []byte // the message that defines it
}

type gobField struct {
	name string
	id   int64
}

// The kinds of types, numbered like the fields of gob's wireType.
const (
	gobArray = iota
	gobSlice
	gobStruct
	gobMap
	gobEncoder
	gobBinaryMarshaler
	gobTextMarshaler
)

// Basic types that need no definition.
const (
	gobBool = iota + 1
	gobInt
	gobUint
	gobFloat
	gobBytes
	gobString
	gobComplex
	gobInterface

	gobFirstDefined = 64
)

func (w *gobWalk) fail() {
	w.bad = true
	w.rest, w.message, w.mark = nil, nil, nil
}

// flush adds what was read of the current message to the value.
func (w *gobWalk) flush() {
	w.value = append(w.value, w.mark[:len(w.mark)-len(w.message)]...)
	w.mark = w.message
}

func (w *gobWalk) uint() uint64 {
	b := w.message
	if len(b) == 0 {
		w.fail()
		return 0
	}
	if b[0] < 0x80 {
		w.message = b[1:]
		return uint64(b[0])
	}
	n := 256 - int(b[0]) // the number of bytes that follow, negated
	if n > 8 || n >= len(b) {
		w.fail()
		return 0
	}
	var v uint64
	for _, c := range b[1 : 1+n] {
		v = v<<8 | uint64(c)
	}
	w.message = b[1+n:]
	return v
}

func (w *gobWalk) int() int64 {
	u := w.uint()
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

func (w *gobWalk) bytes() []byte {
	n := w.uint()
	if n > uint64(len(w.message)) {
		w.fail()
		return nil
	}
	b := w.message[:n]
	w.message = w.message[n:]
	return b
}

// count reads the length of a container. Each of its elements takes a byte at
// least, possibly in a later message.
func (w *gobWalk) count() int {
	u := w.uint()
	if u > uint64(len(w.message)+len(w.rest)) {
		w.fail()
		return 0
	}
	return int(u)
}

// fields reads a struct: each calls for the number of every field that is present.
func (w *gobWalk) fields(each func(field int)) {
	for field := -1; !w.bad; {
		delta := w.uint()
		if delta == 0 {
			return
		}
		if delta > math.MaxInt16 || field > math.MaxInt16 {
			w.fail()
			return
		}
		field += int(delta)
		each(field)
	}
}

// typeSequence reads the id of the type of the value that follows, and the definitions
// before it. In an interface value these may be cut into messages of their own.
func (w *gobWalk) typeSequence(inInterface bool) int64 {
	for !w.bad {
		if len(w.message) == 0 {
			w.nextMessage()
		}
		start := w.message
		id := w.int()
		if id < -maxGobID || id > maxGobID {
			w.fail()
			return 0
		}
		if id >= 0 {
			w.mark = w.message
			return id
		}
		w.define(-id)
		definition := start[:len(start)-len(w.message)]
		at := len(w.definitions)
		w.definitions = appendGobMessage(w.definitions, definition)
		if t, ok := w.types[-id]; ok {
			t.raw = w.definitions[at:len(w.definitions):len(w.definitions)]
			w.types[-id] = t
		}
		if len(w.message) > 0 {
			if !inInterface {
				w.fail()
			}
			w.uint()
		}
	}
	return 0
}

func (w *gobWalk) nextMessage() {
	w.message, w.rest = w.rest, nil
	n := w.uint()
	if n > uint64(len(w.message)) {
		w.fail()
		return
	}
	w.message, w.rest = w.message[:n], w.message[n:]
}

// define reads the definition of a type: gob's wireType, of which one field is set.
func (w *gobWalk) define(id int64) {
	var (
		t    gobType
		seen int
	)
	w.fields(func(kind int) {
		seen++
		t.kind = kind
		w.fields(func(field int) {
			switch {
			case kind > gobTextMarshaler:
				w.fail()
			case field == 0:
				w.common()
			case field == 1 && kind == gobStruct:
				for range w.count() {
					t.fields = append(t.fields, w.common())
					if w.bad {
						return
					}
				}
			case field == 1 && kind == gobMap:
				t.key = w.int()
			case field == 1 && (kind == gobArray || kind == gobSlice), field == 2 && kind == gobMap:
				t.elem = w.int()
			case field == 2 && kind == gobArray:
				t.length = w.int()
			default:
				w.fail()
			}
		})
	})
	if _, known := w.types[id]; known || seen != 1 || id < gobFirstDefined {
		w.fail()
	}
	if !w.bad {
		w.types[id] = t
	}
}

// common reads a struct of a name and an id: a field, or what every type begins with.
func (w *gobWalk) common() (f gobField) {
	w.fields(func(field int) {
		switch field {
		case 0:
			f.name = string(w.bytes())
		case 1:
			f.id = w.int()
		default:
			w.fail()
		}
	})
	return f
}

// whole reads a value that stands by itself: at the top, or in an interface.
func (w *gobWalk) whole(id int64, depth int) {
	if t, ok := w.types[id]; !ok || t.kind != gobStruct {
		if w.uint() != 0 {
			w.fail()
		}
	}
	w.one(id, depth)
}

func (w *gobWalk) one(id int64, depth int) {
	if depth >= maxGobDepth {
		w.fail()
	}
	switch {
	case w.bad:
	case id == gobBool, id == gobInt, id == gobUint, id == gobFloat:
		w.uint()
	case id == gobBytes, id == gobString:
		w.bytes()
	case id == gobComplex:
		w.uint()
		w.uint()
	case id == gobInterface:
		w.iface(depth)
	default:
		t, ok := w.types[id]
		if !ok {
			w.fail()
			return
		}
		if w.values != nil {
			w.values.use(id)
		}
		w.defined(t, depth)
	}
}

func (w *gobWalk) defined(t gobType, depth int) {
	switch t.kind {
	case gobArray, gobSlice:
		n := w.count()
		if t.kind == gobArray && int64(n) != t.length {
			w.fail()
		}
		for i := 0; i < n && !w.bad; i++ {
			w.one(t.elem, depth+1)
		}
	case gobMap:
		n := w.count()
		for i := 0; i < n && !w.bad; i++ {
			w.one(t.key, depth+1)
			w.one(t.elem, depth+1)
		}
	case gobStruct:
		w.fields(func(field int) {
			if field >= len(t.fields) {
				w.fail()
				return
			}
			if w.values != nil && depth == 0 && w.values.walk(t.fields[field]) {
				return
			}
			w.one(t.fields[field].id, depth+1)
		})
	default: // a type that encodes itself
		w.bytes()
	}
}

// iface reads an interface value: the name of its type, empty if it is nil, the
// type's id, the length of the value, and the value.
func (w *gobWalk) iface(depth int) {
	name := w.bytes()
	if len(name) == 0 {
		return
	}
	if w.name == "" {
		w.name = string(name)
	}
	w.flush()
	id := w.typeSequence(true)
	w.uint() // not the length of the value, if there are definitions in it
	w.value = appendGobInt(w.value, id)
	at := len(w.value)
	w.value = append(w.value, 0xfc, 0, 0, 0, 0) // room for a length of four bytes
	w.mark = w.message
	w.whole(id, depth+1)
	w.flush()
	binary.BigEndian.PutUint32(w.value[at+1:], uint32(len(w.value)-at-5))
}

func appendGobMessage(b, message []byte) []byte {
	return append(appendGobUint(b, len(message)), message...)
}

func appendGobUint(b []byte, v int) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xfc), uint32(v))
}

func appendGobInt(b []byte, id int64) []byte {
	return appendGobUint(b, int(id)<<1)
}
