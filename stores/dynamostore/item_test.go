package dynamostore

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scskit/scskit/driver"
)

var goldenRecord = driver.Record{
	ID: "\xff\x00id", Data: []byte("\x00\xffdata"), Version: 1<<62 + 1, User: "\xfeuser",
	Expiry:  time.UnixMilli(4_000_000_000_001).UTC(),
	Created: time.UnixMilli(3_999_999_000_002).UTC(),
	Updated: time.UnixMilli(3_999_999_000_003).UTC(),
	Seen:    time.UnixMilli(3_999_999_000_004).UTC(),
}

// valueJSON is an attribute value in the JSON of the AWS command line.
type valueJSON struct {
	B []byte `json:",omitempty"`
	N string `json:",omitempty"`
}

// TestGolden loads an item that an earlier build has stored. A later version must read it, so do
// not change it: add a second one when the format changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserTable(t)
	c.at.Store(3_999_999_999_999)
	save(t, d, goldenRecord)
	in := &dynamodb.GetItemInput{TableName: &d.name, Key: key(goldenRecord.ID)}
	out, err := d.client.GetItem(background, in)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "item1.json")
	if *update {
		values := map[string]valueJSON{}
		for name, v := range out.Item {
			switch v := v.(type) {
			case *types.AttributeValueMemberB:
				values[name] = valueJSON{B: v.Value}
			case *types.AttributeValueMemberN:
				values[name] = valueJSON{N: v.Value}
			}
		}
		text, err := json.MarshalIndent(values, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden := readItem(t, path)
	if !reflect.DeepEqual(out.Item, golden) {
		t.Errorf("saved %+v, want %+v", out.Item, golden)
	}
	for _, tc := range []struct {
		without string
		want    func(*driver.Record)
	}{
		{"", func(*driver.Record) {}},
		{"seen", func(rec *driver.Record) { rec.Seen = rec.Updated }},
		{"user", func(rec *driver.Record) { rec.User = "" }},
		{"data", func(rec *driver.Record) { rec.Data = []byte{} }},
	} {
		it := maps.Clone(golden)
		delete(it, tc.without)
		in := &dynamodb.PutItemInput{TableName: &d.name, Item: it}
		if _, err := d.client.PutItem(background, in); err != nil {
			t.Fatal(err)
		}
		wanted := goldenRecord
		tc.want(&wanted)
		got, err := d.Load(background, wanted.ID)
		if err != nil || !reflect.DeepEqual(got, wanted) {
			t.Errorf("without %q: got %+v, %v, want %+v", tc.without, got, err, wanted)
		}
	}
}

func readItem(t *testing.T, path string) item {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]valueJSON
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	it := item{}
	for name, v := range values {
		if v.N != "" {
			it[name] = &types.AttributeValueMemberN{Value: v.N}
		} else {
			it[name] = &types.AttributeValueMemberB{Value: v.B}
		}
	}
	return it
}

// A touch sets only attributes that the index does not hold, so that DynamoDB does not write to the
// index. A save sets the user. The table's key is in every index.
func TestTouchAndIndex(t *testing.T) {
	t.Parallel()
	d := &userTable{&table{now: time.Now, users: true}}
	if p := d.definition().GlobalSecondaryIndexes[0].Projection; p.NonKeyAttributes != nil ||
		p.ProjectionType != types.ProjectionTypeKeysOnly {
		t.Fatalf("the index holds more than keys: %+v", p)
	}
	rec := goldenRecord
	for what, tc := range map[string]struct {
		in      *dynamodb.UpdateItemInput
		indexed bool
	}{
		"touch": {d.touchOf(rec), false}, "save": {d.updateOf(rec, setFields, condLive), true},
	} {
		indexed := false
		for placeholder := range strings.FieldsFuncSeq(*tc.in.UpdateExpression, func(r rune) bool {
			return strings.ContainsRune(" ,=", r)
		}) {
			name := tc.in.ExpressionAttributeNames[placeholder]
			indexed = indexed || name == attrID || name == attrUser
		}
		if indexed != tc.indexed {
			t.Errorf("%s: sets an attribute of the index: %v, want %v", what, indexed, tc.indexed)
		}
	}
}

// FuzzDecode decodes items with hostile values. What decodes has the same values when stored again.
func FuzzDecode(f *testing.F) {
	const valid = 0x2222_1211 // the kinds of the attributes below, in hexadecimal digits
	f.Add(uint64(valid), []byte("id"), "4611686018427387905")
	for field := range uint64(8) {
		for kind := range uint64(16) {
			kinds := uint64(valid)&^(0xf<<(4*field)) | kind<<(4*field)
			for _, n := range []string{
				"0", "", "-9223372036854775808", "9223372036854775808", "1E125", "1.5", "NaN", "0x10",
				strings.Repeat("9", 38),
			} {
				f.Add(kinds, []byte("\xff\x00"), n)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kinds uint64, text []byte, n string) {
		it := item{}
		names := []string{
			attrID, attrData, attrVersion, attrUser, attrExpiry, attrCreated, attrUpdated, attrSeen,
		}
		for i, name := range names {
			if v := hostile(kinds>>(4*i)&0xf, bytes.Clone(text), n); v != nil {
				it[name] = v
			}
		}
		rec, err := decode(it)
		if err != nil {
			return
		}
		again := encode(rec)
		got, err := decode(again)
		if err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("got %+v, %v, and before %+v", got, err, rec)
		}
		for _, v := range it { // the record shares nothing with the item
			if b, ok := v.(*types.AttributeValueMemberB); ok {
				clear(b.Value)
			}
		}
		if !reflect.DeepEqual(got, rec) {
			t.Error("the record has changed with its item")
		}
	})
}

// hostile returns a value of the given kind for an attribute, or nil for one that is missing.
func hostile(kind uint64, text []byte, n string) types.AttributeValue {
	switch kind {
	case 1:
		return &types.AttributeValueMemberB{Value: text}
	case 2:
		return &types.AttributeValueMemberN{Value: n}
	case 3:
		return &types.AttributeValueMemberS{Value: string(text)}
	case 4:
		return &types.AttributeValueMemberNULL{Value: true}
	case 5:
		return &types.AttributeValueMemberBOOL{Value: len(text) > 0}
	case 6:
		return &types.AttributeValueMemberBS{Value: [][]byte{text}}
	case 7:
		return &types.AttributeValueMemberNS{Value: []string{n, n}}
	case 8:
		return &types.AttributeValueMemberL{Value: []types.AttributeValue{hostile(2, text, n)}}
	case 9:
		return &types.AttributeValueMemberM{Value: item{attrID: hostile(1, text, n)}}
	case 10:
		return number(math.MinInt64)
	case 11:
		return &types.UnknownUnionMember{Tag: n, Value: text}
	}
	return nil
}
