package codec

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// legacySession is the value that scs.GobCodec encodes.
type legacySession struct {
	Deadline time.Time
	Values   map[string]any
}

// decodeLegacy decodes a record of scs.GobCodec.
func decodeLegacy(record []byte) (time.Time, map[string]any, error) {
	// A gob stream begins with the length of its first message: one byte below 0x80, or the negated
	// number of bytes that follow.
	if len(record) == 0 || record[0] >= 0x80 && record[0] < 0xf8 {
		return time.Time{}, nil, errFormat
	}
	stream, ok := normalizeGob(record, "Deadline", "Values")
	if !ok {
		return time.Time{}, nil, errGob
	}
	var session legacySession
	if err := decodeGobStream(stream, &session); err != nil {
		if session, err = decodeLegacyParts(stream, len(record)); err != nil {
			return time.Time{}, nil, err
		}
	}
	if !validTime(session.Deadline) {
		return time.Time{}, nil, errMalformed
	}
	if session.Values == nil {
		session.Values = map[string]any{}
	}
	return session.Deadline.UTC(), session.Values, nil
}

// decodeLegacyParts decodes each value of a session by itself. It is for a session that does not
// decode as a whole because this process cannot decode some value. Only such values become Unknown.
func decodeLegacyParts(stream []byte, size int) (legacySession, error) {
	w := newGobWalk(stream)
	w.values = &gobValues{w: w}
	if _, ok := w.normalize("Deadline", "Values"); !ok || w.values.end == 0 {
		return legacySession{}, errGob
	}
	var session legacySession
	if err := decodeGobStream(w.values.emptyStream(), &session); err != nil {
		return legacySession{}, err
	}
	session.Values = make(map[string]any, len(w.values.entries))
	// A gob decoder takes kilobytes, so limit their number. The values beyond the limit are Unknown
	// until the session has been saved.
	decoders := 64 + size/32
	budget := 64<<10 + 128*size // the total size of the parts
	for _, e := range w.values.entries {
		if e.isNil {
			session.Values[e.key] = nil
			continue
		}
		part := w.values.part(e)
		if budget -= len(part); budget < 0 {
			return legacySession{}, errLegacyTypes
		}
		if decoders--; decoders >= 0 {
			if v, ok := readGobValue(part, 1); ok {
				session.Values[e.key] = v
				continue
			}
		}
		session.Values[e.key] = Unknown{extGob, string(part)}
	}
	return session, nil
}

// errLegacyTypes does not match ErrCorrupt, because another process may be able to decode the
// record.
var errLegacyTypes = errors.New("scskit: decode: the session holds too much data of types that " +
	"this process does not know: call gob.Register with a value of each when the program starts")

// gobValues records the positions of the session's values in a record of scs.GobCodec.
type gobValues struct {
	w       *gobWalk
	entries []gobEntry
	begin   int // the start of the map in gobWalk.value
	end     int // the end of the map
}

type gobEntry struct {
	key      string
	from, to int // positions in gobWalk.value
	isNil    bool
	types    map[int64]bool // the defined types of the value
}

// walk reads the field if it is the map of values, and reports whether it is.
func (v *gobValues) walk(f gobField) bool {
	w := v.w
	t := w.types[f.id]
	if f.name != "Values" || t.kind != gobMap || t.key != gobString || t.elem != gobInterface ||
		v.end != 0 {
		return false
	}
	w.flush()
	v.begin = len(w.value)
	n := w.count()
	for i := 0; i < n && !w.failed; i++ {
		key := string(w.bytes())
		w.flush()
		v.entries = append(v.entries, gobEntry{key: key, from: len(w.value)})
		e := &v.entries[i]
		e.isNil = len(w.message) > 0 && w.message[0] == 0
		w.read(gobInterface, 2)
		w.flush()
		e.to = len(w.value)
	}
	w.flush()
	v.end = len(w.value)
	return true
}

// addType records that the current entry uses a defined type.
func (v *gobValues) addType(id int64) {
	if len(v.entries) == 0 || v.end != 0 {
		return
	}
	e := &v.entries[len(v.entries)-1]
	if e.types == nil {
		e.types = make(map[int64]bool)
	}
	e.types[id] = true
}

// emptyStream returns the stream of the session with an empty map of values.
func (v *gobValues) emptyStream() []byte {
	value := slices.Concat(v.w.value[:v.begin], []byte{0}, v.w.value[v.end:])
	return appendGobMessage(slices.Clone(v.w.definitions), value)
}

// part returns one value as a stream of its own, in the form that walkGobValue returns, with the
// definitions of the types that it needs.
func (v *gobValues) part(e gobEntry) []byte {
	types := slices.Collect(maps.Keys(e.types))
	need := func(id int64) {
		if id >= gobFirstDefined && !e.types[id] {
			e.types[id] = true
			types = append(types, id)
		}
	}
	for i := 0; i < len(types); i++ { // need appends to types
		t := v.w.types[types[i]]
		need(t.key)
		need(t.elem)
		for _, f := range t.fields {
			need(f.id)
		}
	}
	slices.Sort(types)
	var b []byte
	for _, id := range types {
		b = append(b, v.w.types[id].raw...)
	}
	// The zero precedes a top-level value that is not a struct.
	value := append(appendGobInt(nil, gobInterface), 0)
	return appendGobMessage(b, append(value, v.w.value[e.from:e.to]...))
}
