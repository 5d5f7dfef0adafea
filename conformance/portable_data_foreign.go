package conformance

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
)

// portableForeignChecks cover data that another program or another codec has written.
var portableForeignChecks = []check{
	{"data/unknown-type", LevelPortable, dataUnknownType,
		"a rolling deploy loses nothing: a value of a type that this process has not registered is " +
			"kept for the processes that have"},
	{"data/unknown-type-legacy", LevelPortable, dataUnknownTypeLegacy,
		"a rolling deploy loses nothing, also in a session that scs.GobCodec has encoded"},
	{"data/newer-format", LevelPortable, dataNewerFormat,
		"a record in a newer format of the codec is an error, and is kept"},
	{"data/decorated-codec", LevelPortable, dataDecoratedCodec,
		"a codec that embeds scskit.Codec and changes its bytes, for example to " +
			"compress them, is used as it is"},
	{"data/legacy-gob", LevelPortable, dataLegacyGob,
		"sessions that scs.GobCodec has encoded can be read, and are written in " +
			"the new format when they change"},
}

// foreignValue is a value of a newer program. This process knows its type under knownName, but not
// under unknownName, which has the same length.
type foreignValue struct {
	Note string
	More map[string]int
}

const (
	knownName   = "conformance.known"
	unknownName = "conformance.alien"
)

func toUnknown(data []byte) []byte {
	return bytes.ReplaceAll(data, []byte(knownName), []byte(unknownName))
}

func toKnown(data []byte) []byte {
	return bytes.ReplaceAll(data, []byte(unknownName), []byte(knownName))
}

func dataUnknownType(t *checkT) {
	t.keepsUnknown(scskit.Codec{})
}

func dataUnknownTypeLegacy(t *checkT) {
	t.keepsUnknown(scs.GobCodec{})
}

// keepsUnknown checks that a value of an unknown type survives every operation on a session that
// theirs has encoded.
func (t *checkT) keepsUnknown(theirs scs.Codec) {
	t.Helper()
	gob.RegisterName(knownName, foreignValue{})
	want := foreignValue{Note: "a note", More: map[string]int{"one": 1, "two": 2}}
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := newToken()
	data, err := theirs.Encode(in(lifetime), map[string]any{"user": "ada", "foreign": want, "gone": 1})
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	t.plant(d, token, toUnknown(data))
	came := func(step string) {
		t.Helper()
		_, values, err := scskit.Codec{}.Decode(toKnown(t.stored(d, token).Data))
		if got, ok := values["foreign"].(foreignValue); !ok || fmt.Sprint(got) != fmt.Sprint(want) ||
			values["user"] != "ada" {
			t.Fatalf("%s: a program that knows the type gets %v, error %v", step, values, err)
		}
	}

	r := t.request(sm, token)
	if sm.GetString(r.ctx, "user") != "ada" {
		t.Fatalf("session with a value of an unknown type: keys %v", sm.Keys(r.ctx))
	}
	if v, ok := sm.Get(r.ctx, "foreign").(scskit.Unknown); !ok || v.Type() != unknownName {
		t.Errorf("the value of an unknown type is a %T, want scskit.Unknown", sm.Get(r.ctx, "foreign"))
	}
	came("load")
	sm.Put(r.ctx, "here", 1)
	r.end()
	came("save")

	one, two := t.request(sm, token), t.request(sm, token)
	sm.Put(one.ctx, "one", 1)
	sm.Remove(two.ctx, "gone")
	one.end()
	two.end()
	came("merge")

	r = t.request(sm, token)
	if err := sm.RenewToken(r.ctx); err != nil {
		t.Fatalf("renew: %v", err)
	}
	token, _ = r.end()
	came("renew")
}

func dataNewerFormat(t *checkT) {
	s, d := t.newPortable(nil)
	token := newToken()
	data := append([]byte{0xc1, 0x02}, "what only a later version of the codec can read"...)
	t.plant(d, token, data)
	_, err := manager(s).Load(scskit.WithTracker(t.Context()), token)
	if !errors.Is(err, scskit.ErrNewer) {
		t.Errorf("load: got error %v, want scskit.ErrNewer", err)
	}
	if rec := t.stored(d, token); !bytes.Equal(rec.Data, data) {
		t.Error("the record has changed")
	}
}

// masked is a codec that embeds scskit.Codec and changes its bytes, as programs write them.
type masked struct{ scskit.Codec }

func mask(data []byte) []byte {
	changed := make([]byte, len(data))
	for i, b := range data {
		changed[i] = ^b
	}
	return changed
}

func (m masked) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	data, err := m.Codec.Encode(deadline, values)
	return mask(data), err
}

func (m masked) Decode(data []byte) (time.Time, map[string]any, error) {
	return m.Codec.Decode(mask(data))
}

func dataDecoratedCodec(t *checkT) {
	s, d := t.newPortable(&scskit.Options{Codec: masked{}})
	sm := manager(s)
	sm.IdleTimeout = lifetime / 2
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	sm.Put(r.ctx, "one", 1)
	r.end()
	t.wantValues(t.values(s, token), fmt.Sprint(map[string]any{"k": 1, "one": 1}))
	if idle := time.Until(t.stored(d, token).Expiry); idle > lifetime*9/10 {
		t.Errorf("the idle timeout is %v, but the record expires in %v", sm.IdleTimeout, idle)
	}
}

func dataLegacyGob(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := newToken()
	legacy, err := scs.GobCodec{}.Encode(in(lifetime), map[string]any{"user": "ada", "n": 7})
	if err != nil {
		t.Fatalf("gob: %v", err)
	}
	t.plant(d, token, legacy)

	r := t.request(sm, token)
	if sm.GetString(r.ctx, "user") != "ada" || sm.GetInt(r.ctx, "n") != 7 {
		t.Fatalf("session in the format of scs.GobCodec: keys %v", sm.Keys(r.ctx))
	}
	sm.Put(r.ctx, "new", true)
	if _, state := r.end(); state != scskit.CommitStored {
		t.Errorf("commit: state %d, want Stored", state)
	}
	if v := t.values(s, token); len(v) != 3 || v["user"] != "ada" || v["n"] != 7 || v["new"] != true {
		t.Errorf("after the change the session holds %v", v)
	}
	if _, _, err := (scs.GobCodec{}).Decode(t.stored(d, token).Data); err == nil {
		t.Error("the changed session is still in the format of scs.GobCodec")
	}
}
