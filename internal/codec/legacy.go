package codec

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// legacySession is what scs.GobCodec writes.
type legacySession struct {
	Deadline time.Time
	Values   map[string]any
}

// decodeLegacy decodes a record of scs.GobCodec.
func decodeLegacy(record []byte) (time.Time, map[string]any, error) {
	// A gob stream begins with the length of its first message: a byte below 0x80
	// if that is all, else the number of bytes that follow, negated.
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

// decodeLegacyParts decodes a session that does not decode as a whole, since this process cannot
// read some value in it: each value by itself, so that only those are Unknown.
func decodeLegacyParts(stream []byte, size int) (legacySession, error) {
	w := newGobWalk(stream)
	w.values = &gobValues{w: w}
	if _, ok := w.normalize("Deadline", "Values"); !ok || w.values.end == 0 {
		return legacySession{}, errGob
	}
	var session legacySession
	if err := decodeGobStream(w.values.none(), &session); err != nil {
		return legacySession{}, err
	}
	session.Values = make(map[string]any, len(w.values.entries))
	// Setting up gob takes kilobytes. A value that it is not set up for is Unknown until the
	// session has been saved.
	decoders := 64 + size/32
	room := 64<<10 + 128*size
	for _, e := range w.values.entries {
		if e.none {
			session.Values[e.key] = nil
			continue
		}
		part := w.values.part(e)
		if room -= len(part); room < 0 {
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

// errLegacyTypes is not ErrCorrupt: another process may well be able to read the record.
var errLegacyTypes = errors.New("scskit: decode: too much of the session is of types that this " +
	"process has not registered with gob.Register")

// gobValues is where in a record of scs.GobCodec each value of the session is.
type gobValues struct {
	w       *gobWalk
	entries []gobEntry
	begin   int // where in gobWalk.value the map begins
	end     int // and where it ends
}

type gobEntry struct {
	key      string
	from, to int // in gobWalk.value
	none     bool
	types    map[int64]bool // that occur in the value
}

// walk reads the map of values, if that is what the field is.
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
	for i := 0; i < n && !w.bad; i++ {
		key := string(w.bytes())
		w.flush()
		v.entries = append(v.entries, gobEntry{key: key, from: len(w.value)})
		e := &v.entries[i]
		e.none = len(w.message) > 0 && w.message[0] == 0
		w.one(gobInterface, 2)
		w.flush()
		e.to = len(w.value)
	}
	w.flush()
	v.end = len(w.value)
	return true
}

// use notes that a value of a defined type was met.
func (v *gobValues) use(id int64) {
	if len(v.entries) == 0 || v.end != 0 {
		return
	}
	e := &v.entries[len(v.entries)-1]
	if e.types == nil {
		e.types = make(map[int64]bool)
	}
	e.types[id] = true
}

// none returns the session's stream without any value in it.
func (v *gobValues) none() []byte {
	value := slices.Concat(v.w.value[:v.begin], []byte{0}, v.w.value[v.end:])
	return appendGobMessage(slices.Clone(v.w.definitions), value)
}

// part returns one value as a stream by itself, in the form that walkGobValue returns, with the
// definitions of those types that it needs.
func (v *gobValues) part(e gobEntry) []byte {
	types := slices.Collect(maps.Keys(e.types))
	need := func(id int64) {
		if id >= gobFirstDefined && !e.types[id] {
			e.types[id] = true
			types = append(types, id)
		}
	}
	for i := 0; i < len(types); i++ { // types grows meanwhile
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
	// An interface value at the top is no struct, which the zero says.
	value := append(appendGobInt(nil, gobInterface), 0)
	return appendGobMessage(b, append(value, v.w.value[e.from:e.to]...))
}
