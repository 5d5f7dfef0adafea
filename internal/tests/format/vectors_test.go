package format_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scskit/scskit"
)

var update = flag.Bool("update", false, "rewrite docs/format/vectors.json")

var vectorsFile = filepath.Join("..", "..", "..", "docs", "format", "vectors.json")

// The content of docs/format/vectors.json. Bytes are in hex, times of records in milliseconds.
type vectors struct {
	About      string            `json:"about"`
	IDs        []idVector        `json:"ids"`
	Users      []userVector      `json:"users"`
	Values     []valueVector     `json:"values"`
	Sessions   []sessionVector   `json:"sessions"`
	Sealed     []sealedVector    `json:"sealed"`
	Tombstones []tombstoneVector `json:"tombstones"`
	Locks      []lockVector      `json:"locks"`
	Refused    []refusedVector   `json:"refused"`
	Redis      []redisVector     `json:"redis"`
	Cookies    []cookieVector    `json:"cookies"`
}

type (
	idVector struct {
		Token string `json:"token"`
		ID    string `json:"id"`
	}
	userVector struct {
		Value any    `json:"value"`
		Hash  string `json:"hash"`
	}
	valueVector struct {
		Type string `json:"type"`
		Hex  string `json:"hex"`
		JSON any    `json:"json"`
	}
	sessionVector struct {
		About    string `json:"about"`
		Hex      string `json:"hex"`
		Deadline string `json:"deadline"`
		Values   any    `json:"values"`
	}
	sealedVector struct {
		ID    string `json:"id"`
		Key   string `json:"key"`
		KeyID string `json:"keyId"`
		Nonce string `json:"nonce"`
		Hex   string `json:"hex"`
		Data  string `json:"data"`
	}
	tombstoneVector struct {
		Hex        string      `json:"hex"`
		User       string      `json:"user"`
		Closed     bool        `json:"closed"`
		Successors []successor `json:"successors"`
	}
	successor struct {
		Why string `json:"why"`
		ID  string `json:"id"`
	}
	lockVector struct {
		Session string `json:"session"`
		ID      string `json:"id"`
		Hex     string `json:"hex"`
	}
	refusedVector struct {
		About string `json:"about"`
		Hex   string `json:"hex"`
	}
	redisVector struct {
		Hex     string `json:"hex"`
		Version string `json:"version"`
		Expiry  int64  `json:"expiry"`
		Seen    int64  `json:"seen"`
		Created int64  `json:"created"`
		Updated int64  `json:"updated"`
		User    string `json:"user"`
		Data    string `json:"data"`
	}
	cookieVector struct {
		Key     string `json:"key"`
		Name    string `json:"name"`
		Nonce   string `json:"nonce"`
		Value   string `json:"value"`
		Expiry  int64  `json:"expiry"`
		Updated int64  `json:"updated"`
		Version string `json:"version"`
		Data    string `json:"data"`
	}
)

const (
	token = "vYbq3HFL3oFAQ0pXtLeJ3wWuU3bV1oR0zCq3Fg1n9hE" // of no session
	about = "Test vectors of docs/format.md. Bytes are in hex, times of records in milliseconds. " +
		"In JSON, an object whose first key begins with $ is a value for which JSON has no type."
)

// legacy is a session of scs.GobCodec with one value.
const legacy = "257f030102ff800001020108446561646c696e6501ff8200010656616c75657301ff8400000010ff" +
	"810501010454696d6501ff8200000027ff83040101176d61705b737472696e675d696e7465726661" +
	"6365207b7d01ff8400010c0110000025ff80010f010000000f6cbd7dd9075bcd15ffff0101067669" +
	"7369747303696e740402000600"

var (
	oldKey = sha256.Sum256([]byte("the key of the test vectors"))
	newKey = sha256.Sum256([]byte("another key of the test vectors"))
	nonce  = []byte("twelve bytes")
)

// hashOf is what docs/format.md says about ids and users.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func encode(t *testing.T, values map[string]any) []byte {
	t.Helper()
	b, err := scskit.Codec{}.Encode(deadline, values)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// valueOf returns the encoding of one value.
func valueOf(t *testing.T, v any) []byte {
	t.Helper()
	empty := encode(t, nil)
	// A map of one entry, and its key.
	before := slices.Concat(empty[:len(empty)-1], []byte{0x81, 0xa1, 'k'})
	value, ok := bytes.CutPrefix(encode(t, map[string]any{"k": v}), before)
	if !ok {
		t.Fatalf("a session with the value %v begins differently", v)
	}
	return value
}

func gobOf(v any) []byte {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&v); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// sealedOf seals the data of a record as docs/format.md says, with a fixed nonce.
func sealedOf(key, data []byte, id string) []byte {
	b := append([]byte{0xc1, 'S', 1}, keyID(key)...)
	b = append(b, nonce...)
	return gcm(key).Seal(b, nonce, data, []byte("scskit record 1 "+id))
}

func keyID(key []byte) []byte {
	sum := sha256.Sum256(append([]byte("scskit key id "), key...))
	return sum[:4]
}

// redisValueOf returns the value of a Redis key as docs/format.md says.
func redisValueOf(v redisVector, version int64, data []byte) []byte {
	b := []byte{0xf5}
	if v.User != "" {
		b[0] = 0xf6
	}
	b = binary.BigEndian.AppendUint64(b, uint64(version))
	for _, ms := range []int64{v.Expiry, v.Seen, v.Created, v.Updated} {
		b = append(b, binary.BigEndian.AppendUint64(nil, uint64(ms))[2:]...)
	}
	if v.User != "" {
		b = append(append(b, byte(len(v.User))), v.User...)
	}
	return append(b, data...)
}

func tombstoneOf(v tombstoneVector) []byte {
	b := []byte("\x00scskit: renewed\x00" + v.User + "\x00")
	if v.Closed {
		b = append(b, '!')
	}
	for _, s := range v.Successors {
		b = fmt.Appendf(b, "%s%d:%s", s.Why, len(s.ID), s.ID)
	}
	return b
}

const lockMark = "\x00scskit: lock\x00"

// cookieOf returns the value of a session cookie as docs/format.md says.
func cookieOf(v cookieVector, version int64, key, data []byte) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(v.Expiry))
	plain = binary.BigEndian.AppendUint64(plain, uint64(v.Updated))
	plain = binary.BigEndian.AppendUint64(plain, uint64(version))
	plain = append(plain, data...)
	aad := []byte("scskit cookie 2 " + v.Name)
	return base64.RawURLEncoding.EncodeToString(gcm(key).Seal(nonce[:12:12], nonce, plain, aad))
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{About: about}
	id := hashOf(token)
	for _, text := range []string{token, "abc"} {
		v.IDs = append(v.IDs, idVector{text, hashOf(text)})
	}
	ada := hashOf("ada")
	v.Users = []userVector{{"ada", ada}, {42, hashOf("42")}, {-7, hashOf("-7")}}
	for _, one := range everyType {
		b := valueOf(t, one.v)
		v.Values = append(v.Values, valueVector{one.typ, hex.EncodeToString(b), notation(one.v)})
	}
	later := hex.EncodeToString([]byte{0xd5, 31, 1, 2})
	unknown := map[string]any{"$unknown": "0102", "type": 31}
	v.Values = append(v.Values, valueVector{"of a later version", later, unknown})

	small := encode(t, map[string]any{"user": "ada", "visits": 3, "admin": true})
	const deadlineText = "2100-05-06T07:08:09.123456789Z"
	add := func(about string, values map[string]any) {
		text := hex.EncodeToString(encode(t, values))
		v.Sessions = append(v.Sessions, sessionVector{about, text, deadlineText, notation(values)})
	}
	add("no values", map[string]any{})
	add("three values", map[string]any{"user": "ada", "visits": 3, "admin": true})
	add("values of every type", allValues())

	for _, key := range [][]byte{oldKey[:], newKey[:]} {
		v.Sealed = append(v.Sealed, sealedVector{
			ID: id, Key: hex.EncodeToString(key), KeyID: hex.EncodeToString(keyID(key)),
			Nonce: hex.EncodeToString(nonce), Data: hex.EncodeToString(small),
			Hex: hex.EncodeToString(sealedOf(key, small, id)),
		})
	}
	for _, one := range []tombstoneVector{
		{User: ada, Successors: []successor{{"r", hashOf("next")}}},
		{Successors: []successor{{"p", hashOf("next")}}},
		{Closed: true, Successors: []successor{{"r", hashOf("one")}, {"m", "plain token"}}},
	} {
		one.Hex = hex.EncodeToString(tombstoneOf(one))
		v.Tombstones = append(v.Tombstones, one)
	}
	v.Locks = []lockVector{{id, hashOf(lockMark + id), hex.EncodeToString([]byte(lockMark))}}

	v.Refused = []refusedVector{
		{"of scs.GobCodec", legacy},
		{"of a later version of the codec", "c102"},
		{"a sealed record of a later version", "c15302" + hex.EncodeToString(make([]byte, 40))},
		{"cut short", hex.EncodeToString(small[:len(small)-1])},
		{"a byte too many", hex.EncodeToString(append(small[:len(small):len(small)], 0xc0))},
	}
	for _, user := range []string{"", ada} {
		one := redisVector{
			Version: "4611686018427387905", User: user, Data: hex.EncodeToString(small),
			Expiry: deadline.UnixMilli(), Seen: 1798761600004, Created: 1798761600001,
			Updated: 1798761600003,
		}
		one.Hex = hex.EncodeToString(redisValueOf(one, 1<<62+1, small))
		v.Redis = append(v.Redis, one)
	}
	cookie := cookieVector{
		Key: hex.EncodeToString(oldKey[:]), Name: "session", Nonce: hex.EncodeToString(nonce),
		Version: "4611686018427387905", Data: hex.EncodeToString(small),
		Expiry: deadline.UnixMilli(), Updated: 1798761600003,
	}
	cookie.Value = cookieOf(cookie, 1<<62+1, oldKey[:], small)
	v.Cookies = []cookieVector{cookie}
	return v
}

func TestVectors(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(makeVectors(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorsFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), golden) {
		t.Errorf("%s differs from what this version stores. Other programs read sessions as it says: "+
			"add vectors (run with -update), do not change any", vectorsFile)
	}
}
