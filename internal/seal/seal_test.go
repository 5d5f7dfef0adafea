package seal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

func key(b byte) []byte {
	sum := sha256.Sum256([]byte{b})
	return sum[:]
}

func newSealer(t testing.TB, keys ...[]byte) *Sealer {
	t.Helper()
	s, err := New(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpen(t *testing.T) {
	s := newSealer(t, key(1))
	sealed := s.Seal([]byte("secret"), "here")
	if got, current, err := s.Open(sealed, "here"); string(got) != "secret" || !current || err != nil {
		t.Fatalf("got %q, %v, %v", got, current, err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)/2] ^= 1
	for name, f := range map[string]func() ([]byte, bool, error){
		"another binding": func() ([]byte, bool, error) { return s.Open(sealed, "there") },
		"another key": func() ([]byte, bool, error) {
			return newSealer(t, key(2)).Open(sealed, "here")
		},
		"bit flipped": func() ([]byte, bool, error) { return s.Open(flipped, "here") },
		"truncated":   func() ([]byte, bool, error) { return s.Open(sealed[:len(sealed)-1], "here") },
		"extended": func() ([]byte, bool, error) {
			return s.Open(append(bytes.Clone(sealed), 0), "here")
		},
		"too short": func() ([]byte, bool, error) { return s.Open(sealed[:3], "here") },
		"empty":     func() ([]byte, bool, error) { return s.Open(nil, "here") },
	} {
		if got, _, err := f(); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestRotation(t *testing.T) {
	sealed := newSealer(t, key(1)).Seal([]byte("secret"), "")
	got, current, err := newSealer(t, key(2), key(1)).Open(sealed, "")
	if string(got) != "secret" || current || err != nil {
		t.Errorf("under a retiring key: got %q, %v, %v", got, current, err)
	}
	if _, _, err := newSealer(t, key(2)).Open(sealed, ""); !errors.Is(err, ErrOpen) {
		t.Errorf("under a retired key: %v", err)
	}
}

func TestBadKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		keys [][]byte
		want string
	}{
		"none":     {nil, "no keys: pass at least one of 32 random bytes"},
		"short":    {[][]byte{key(1), make([]byte, 16)}, "key 2 has 16 bytes"},
		"repeated": {[][]byte{key(1), key(2), key(1)}, "key 3 equals key 1"},
		"zeros":    {[][]byte{make([]byte, KeySize)}, "key 1 is not random"},
		"pattern":  {[][]byte{bytes.Repeat([]byte{1, 2, 3, 200}, 8)}, "key 1 is not random"},
		"text": {[][]byte{[]byte("correct horse battery staple 123")},
			"key 1 is text, not random bytes"},
	} {
		if _, err := New(tt.keys); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
