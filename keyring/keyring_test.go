package keyring_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scskit/scskit/keyring"
)

func mustParse(t *testing.T, texts ...string) [][]byte {
	t.Helper()
	keys, err := keyring.Parse(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestParse(t *testing.T) {
	text := keyring.New()
	key := mustParse(t, text)[0]
	for _, other := range []string{
		strings.TrimRight(text, "="), " " + text + "\n", hex.EncodeToString(key),
		strings.ToUpper(hex.EncodeToString(key)), base64.URLEncoding.EncodeToString(key),
		base64.RawURLEncoding.EncodeToString(key),
	} {
		if got := mustParse(t, other)[0]; !bytes.Equal(got, key) {
			t.Error("another spelling of a key gives another key")
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := keyring.New()
	hexadecimal := hex.EncodeToString(mustParse(t, good)[0])
	for name, tc := range map[string]struct {
		keys []string
		want string
	}{
		"none":      {nil, "no keys"},
		"empty":     {[]string{good, " "}, "key 2 is empty"},
		"short":     {[]string{good[:20]}, "key 1 is not 32 bytes"},
		"long":      {[]string{good[:40] + good}, "key 1 is not 32 bytes"},
		"passwords": {[]string{"correct horse battery staple"}, "key 1 is not 32 bytes"},
		"text": {[]string{base64.StdEncoding.EncodeToString([]byte("correct horse battery staple 123"))},
			"key 1 is text"},
		"zeros":    {[]string{strings.Repeat("0", 64)}, "key 1 is not random"},
		"repeated": {[]string{good, keyring.New(), hexadecimal}, "key 3 equals key 1"},
		"a line in it": {[]string{good[:10] + "\n" + good[10:] + "\n\n" + good[:4]},
			"key 1 is not 32 bytes"},
	} {
		_, err := keyring.Parse(tc.keys...)
		if err == nil || !strings.HasPrefix(err.Error(), "keyring: "+tc.want) {
			t.Errorf("%s: error %v, want keyring: %s…", name, err, tc.want)
		}
		for _, key := range tc.keys {
			if key := strings.TrimSpace(key); err != nil && len(key) > 4 &&
				strings.Contains(err.Error(), key) {
				t.Errorf("%s: the error has the key", name)
			}
		}
	}
}

func TestReadFile(t *testing.T) {
	first, second := keyring.New(), keyring.New()
	name := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# keys of the shop\n\n" + first + "\r\n  " + second + "\n# the end")
	got, err := keyring.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if want := mustParse(t, first, second); !bytes.Equal(got[0], want[0]) ||
		!bytes.Equal(got[1], want[1]) || len(got) != 2 {
		t.Error("the file gives other keys")
	}
	for text, want := range map[string]string{
		"# nothing":                    "keyring: no keys",
		first + "\n" + first:           "keyring: key 2 equals key 1",
		strings.Repeat("a\n", 100_000): "keyring: " + name + " has more than",
	} {
		write(text)
		if _, err := keyring.ReadFile(name); err == nil || !strings.HasPrefix(err.Error(), want) ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := keyring.ReadFile(name + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
}

func TestWrapped(t *testing.T) {
	ctx := context.Background()
	oldMaster, newMaster := mustParse(t, keyring.New())[0], mustParse(t, keyring.New())[0]
	before, err := keyring.Local(oldMaster)
	if err != nil {
		t.Fatal(err)
	}
	var wrapped []string
	for range 2 {
		text, err := keyring.NewWrapped(ctx, before)
		if err != nil {
			t.Fatal(err)
		}
		wrapped = append(wrapped, text)
	}
	keys, err := keyring.Unwrap(ctx, before, wrapped...)
	if err != nil {
		t.Fatal(err)
	}
	after, err := keyring.Local(newMaster, oldMaster)
	if err != nil {
		t.Fatal(err)
	}
	again, err := keyring.Unwrap(ctx, after, wrapped...)
	if err != nil || !bytes.Equal(keys[0], again[0]) || !bytes.Equal(keys[1], again[1]) {
		t.Errorf("after the rotation of the wrapping key: error %v", err)
	}
	other, err := keyring.Local(newMaster)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		w       keyring.Wrapper
		wrapped []string
		want    string
	}{
		"none":         {before, nil, "keyring: unwrapped no keys"},
		"another key":  {other, wrapped, "keyring: unwrap key 1: cannot open"},
		"not base64":   {before, []string{wrapped[0], "%"}, "keyring: wrapped key 2 is not in base64"},
		"cut":          {before, []string{wrapped[0][:40]}, "keyring: unwrap key 1: cannot open"},
		"repeated key": {before, []string{wrapped[1], wrapped[1]}, "keyring: unwrapped key 2 equals"},
	} {
		if _, err := keyring.Unwrap(ctx, tc.w, tc.wrapped...); err == nil ||
			!strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %s…", name, err, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(keyring.New())
	f.Add(strings.Repeat("0", 64))
	f.Add("AAAA====\n")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := keyring.Parse(text)
		if err == nil && (len(keys) != 1 || len(keys[0]) != 32) {
			t.Errorf("%d keys", len(keys))
		}
		if text = strings.TrimSpace(text); err != nil && len(text) > 30 &&
			strings.Contains(err.Error(), text) {
			t.Error("the error quotes the key")
		}
	})
}
