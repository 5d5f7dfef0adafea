package codec

import (
	"encoding/binary"
	"math"
	"slices"
)

const (
	// maxGobDepth limits the nesting of values in a gob stream.
	maxGobDepth = 1000

	// maxGobID is the highest type number. gob stores these in 32 bits.
	maxGobID = 1<<30 - 1
)

// normalizeGob validates a gob stream of one value, and returns it with all type definitions before
// the value. It returns false for a stream that is damaged or that encoding/gob does not write.
//
// gob's decoder does not validate what a stream claims. It allocates a map for a billion entries
// before it reads the first. A list nested deeply enough overflows its stack. normalizeGob reads
// every element that a count claims, and limits the depth.
//
// It rewrites the stream because of type definitions between the parts of a value. gob reads these
// differently where it skips a field than where it decodes one. Without the rewriting, gob could
// decode something other than what was validated.
//
// One gap remains. If gob skips a field that holds a slice or map of interfaces with a nil in it,
// it takes the bytes after the nil for a part of the field. A stream crafted for a registered
// struct type, with such a field added, can therefore still claim any size. For a struct at the top
// level, normalizeGob closes the gap: it accepts only the fields named.
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
	w.standalone(w.top, 0)
	w.flush()
	if w.failed || len(w.message) > 0 || len(w.rest) > 0 || uint64(len(w.value)) > math.MaxUint32 {
		return nil, false
	}
	return appendGobMessage(w.definitions, w.value), true
}

// gobWalk reads a stream as gob's decoder does. After a failure it reads only zeros.
type gobWalk struct {
	rest        []byte // the messages after the current one
	message     []byte // the unread part of the current message
	mark        []byte // the part of the current message that is not yet in value
	definitions []byte // output: the type definitions, each a message
	value       []byte // output: the value, without type definitions
	types       map[int64]gobType
	top         int64  // the type of the top-level value
	name        string // the registered type name of the first interface value
	values      *gobValues
	failed      bool
}

// gobType is a type that the stream defines. Types below 64 are predefined by gob.
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
	w.failed = true
	w.rest, w.message, w.mark = nil, nil, nil
}

// flush appends what was read of the current message to value.
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
	n := 256 - int(b[0]) // the first byte is the negated number of bytes that follow
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

// count reads the length of a container. Each element takes at least one byte, possibly in a later
// message.
func (w *gobWalk) count() int {
	u := w.uint()
	if u > uint64(len(w.message)+len(w.rest)) {
		w.fail()
		return 0
	}
	return int(u)
}

// fields reads a struct. It calls each with the number of every field that is present.
func (w *gobWalk) fields(each func(field int)) {
	for field := -1; !w.failed; {
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

// typeSequence reads the type definitions before a value, and returns the type id of the value. In
// an interface value, the definitions may be split into messages of their own.
func (w *gobWalk) typeSequence(inInterface bool) int64 {
	for !w.failed {
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

// define reads the definition of a type: gob's wireType, with one field set.
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
				w.nameAndID()
			case field == 1 && kind == gobStruct:
				for range w.count() {
					t.fields = append(t.fields, w.nameAndID())
					if w.failed {
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
	if !w.failed {
		w.types[id] = t
	}
}

// nameAndID reads a struct of a name and an id: a field, or the first part of a type definition.
func (w *gobWalk) nameAndID() (f gobField) {
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

// standalone reads a value at the top level or in an interface.
func (w *gobWalk) standalone(id int64, depth int) {
	if t, ok := w.types[id]; !ok || t.kind != gobStruct {
		if w.uint() != 0 {
			w.fail()
		}
	}
	w.read(id, depth)
}

// read reads a value inside depth others.
func (w *gobWalk) read(id int64, depth int) {
	if depth >= maxGobDepth {
		w.fail()
	}
	switch {
	case w.failed:
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
			w.values.addType(id)
		}
		w.readDefined(t, depth)
	}
}

func (w *gobWalk) readDefined(t gobType, depth int) {
	switch t.kind {
	case gobArray, gobSlice:
		n := w.count()
		if t.kind == gobArray && int64(n) != t.length {
			w.fail()
		}
		for i := 0; i < n && !w.failed; i++ {
			w.read(t.elem, depth+1)
		}
	case gobMap:
		n := w.count()
		for i := 0; i < n && !w.failed; i++ {
			w.read(t.key, depth+1)
			w.read(t.elem, depth+1)
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
			w.read(t.fields[field].id, depth+1)
		})
	default: // a type that encodes itself
		w.bytes()
	}
}

// iface reads an interface value: the name of its type, which is empty for nil, the type's id, the
// length of the value, and the value.
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
	w.uint() // the length, which includes definitions and so is written anew below
	w.value = appendGobInt(w.value, id)
	at := len(w.value)
	w.value = append(w.value, 0xfc, 0, 0, 0, 0) // the length, in four bytes, set below
	w.mark = w.message
	w.standalone(id, depth+1)
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
