package mongostore

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// stored returns the document with the given id.
func stored(t testing.TB, c *collection, id string) bson.Raw {
	t.Helper()
	doc, err := c.coll.FindOne(background, bson.D{{Key: "_id", Value: key(id)}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// document returns the document of a record.
func document(t testing.TB, rec driver.Record) bson.D {
	t.Helper()
	c := &collection{users: true}
	set := c.update(rec, bson.E{Key: "created", Value: bson.NewDateTimeFromTime(rec.Created)})
	return append(bson.D{{Key: "_id", Value: key(rec.ID)}}, set[0].Value.(bson.D)...)
}

var goldenRecord = driver.Record{
	ID: "\xff\x00id", Data: []byte("\x00\xffdata"), Version: 1<<62 + 1, User: "\xfeuser",
	Expiry:  time.UnixMilli(4_000_000_000_001).UTC(),
	Created: time.UnixMilli(3_999_999_000_002).UTC(),
	Updated: time.UnixMilli(3_999_999_000_003).UTC(),
	Seen:    time.UnixMilli(3_999_999_000_004).UTC(),
}

// TestGolden loads a document that an earlier build has stored. A later version must read it, so do
// not change it: add a second one when the format changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.at.Store(3_999_999_999_999)
	coll := newCollection(t, connect(t, nil))
	d, err := newDriver(coll, &Options{Options: scskit.Options{Now: c.now, UserKey: "user"}})
	if err != nil {
		t.Fatal(err)
	}
	save(t, d, goldenRecord)
	now := stored(t, collectionOf(d), goldenRecord.ID)
	path := filepath.Join("testdata", "document1.json")
	if *update {
		text, err := bson.MarshalExtJSONIndent(now, true, false, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var golden bson.D
	if err := bson.UnmarshalExtJSON(text, true, &golden); err != nil {
		t.Fatal(err)
	}
	if got, want := fieldsOf(t, now), fieldsOf(t, text); !reflect.DeepEqual(got, want) {
		t.Errorf("saved %v, want %v", got, want)
	}
	want(t, "delete", d.Delete(background, goldenRecord.ID, driver.Always()), nil)
	for _, tc := range []struct {
		without string
		want    func(*driver.Record)
	}{
		{"", func(*driver.Record) {}},
		{"seen", func(rec *driver.Record) { rec.Seen = rec.Updated }},
		{"user", func(rec *driver.Record) { rec.User = "" }},
	} {
		doc := bson.D{}
		for _, e := range golden {
			if e.Key != tc.without {
				doc = append(doc, e)
			}
		}
		if _, err := coll.InsertOne(background, doc); err != nil {
			t.Fatal(err)
		}
		wanted := goldenRecord
		tc.want(&wanted)
		got, err := d.Load(background, wanted.ID)
		if err != nil || !reflect.DeepEqual(got, wanted) {
			t.Errorf("without %q: got %+v, %v, want %+v", tc.without, got, err, wanted)
		}
		want(t, "delete", d.Delete(background, wanted.ID, driver.Always()), nil)
	}
}

// fieldsOf returns the fields of a document, which is BSON or JSON, whatever their order.
func fieldsOf(t *testing.T, doc []byte) (fields map[string]any) {
	t.Helper()
	if doc[0] != '{' {
		text, err := bson.MarshalExtJSON(bson.Raw(doc), true, false)
		if err != nil {
			t.Fatal(err)
		}
		doc = text
	}
	if err := json.Unmarshal(doc, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// A touch sets two fields, and no other, in its command.
func TestTouchCommand(t *testing.T) {
	t.Parallel()
	d, c, m := newUserDriver(t)
	save(t, d, owned(c, "a", "alice"))
	before := stored(t, d.collection, "a")
	m.take()
	rec := touchTo("a", 1, c.now().Add(time.Hour))
	want(t, "touch", d.Touch(background, rec), nil)
	sent := m.take()
	if len(sent) != 1 {
		t.Fatalf("sent %q, want update", names(sent))
	}
	moved := bson.D{
		{Key: "expiry", Value: bson.NewDateTimeFromTime(rec.Expiry)},
		{Key: "seen", Value: bson.NewDateTimeFromTime(rec.Seen)},
	}
	text, err := bson.Marshal(bson.D{{Key: "$set", Value: moved}})
	if err != nil {
		t.Fatal(err)
	}
	if got := sent[0].Lookup("updates", "0", "u"); got.String() != bson.Raw(text).String() {
		t.Errorf("sent %s, want %s", got, bson.Raw(text))
	}
	want := fieldsOf(t, before)
	for name, v := range fieldsOf(t, stored(t, d.collection, "a")) {
		moves := name == "expiry" || name == "seen"
		if reflect.DeepEqual(v, want[name]) == moves {
			t.Errorf("%s: got %v after %v, want it moved: %v", name, v, want[name], moves)
		}
	}
}

// FuzzDecode decodes documents with hostile values. A server stores only well-formed BSON, so the
// documents are well-formed. What decodes has the same values when stored again.
func FuzzDecode(f *testing.F) {
	const valid = 0x3333_4211 // the kinds of the fields below, in hexadecimal digits
	f.Add(uint64(valid), []byte("id"), int64(1<<62+1))
	for field := range uint64(8) {
		for kind := range uint64(16) {
			kinds := uint64(valid)&^(0xf<<(4*field)) | kind<<(4*field)
			f.Add(kinds, []byte("\xff\x00"), int64(math.MaxInt64))
			f.Add(kinds, []byte(nil), int64(math.MinInt64))
		}
	}
	f.Fuzz(func(t *testing.T, kinds uint64, text []byte, n int64) {
		doc := bson.D{}
		names := []string{"_id", "data", "version", "user", "expiry", "created", "updated", "seen"}
		for i, name := range names {
			if v := hostile(kinds>>(4*i)&0xf, text, n); v != nil {
				doc = append(doc, bson.E{Key: name, Value: v})
			}
		}
		raw, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		original := bytes.Clone(raw)
		rec, err := decode(raw)
		if kinds == valid && err != nil {
			t.Errorf("a valid document: %v", err)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(raw, original) {
			t.Error("decode changed the document")
		}
		again, err := bson.Marshal(document(t, rec))
		if err != nil {
			t.Fatal(err)
		}
		clear(raw) // the record shares nothing with the document
		got, err := decode(again)
		if err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("got %+v, %v, and before %+v", got, err, rec)
		}
	})
}

// hostile returns a value of the given kind for a field, or nil for a field that is missing.
func hostile(kind uint64, text []byte, n int64) any {
	switch kind {
	case 1:
		return bson.Binary{Data: text}
	case 2:
		return n
	case 3:
		return bson.DateTime(n)
	case 4:
		return bson.Binary{Data: append([]byte{'u'}, text...)}
	case 5:
		return bson.Binary{Subtype: 2, Data: text}
	case 6:
		return string(text)
	case 7:
		return float64(n) * 1e300 // infinite if n is large
	case 8:
		return math.NaN()
	case 9:
		return int32(n)
	case 10:
		return bson.NewDecimal128(uint64(n), uint64(n))
	case 11:
		return bson.Null{}
	case 12:
		return bson.D{{Key: "_id", Value: text}}
	case 13:
		return bson.A{bson.DateTime(n)}
	case 14:
		return bson.Timestamp{T: uint32(n)}
	}
	return nil
}
