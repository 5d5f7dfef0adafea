// Package keyring reads and makes the keys of Options.Keys and of cookiestore.New. A key is 32
// random bytes, written in base64 or in hexadecimal.
//
//	keys, err := keyring.ReadFile("/run/secrets/session-keys")
//	…
//	store, err := redisstore.New(client, &redisstore.Options{Options: scskit.Options{Keys: keys}})
//
// The first key seals, and all of them open. If the keys are kept by a KMS, see Wrapper.
package keyring

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/scskit/scskit/internal/seal"
)

// maxFile is the largest key file that ReadFile reads, in bytes.
const maxFile = 64 << 10

// New returns a new key in base64, as "openssl rand -base64 32" does.
func New() string {
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// Parse decodes keys. Each is 32 bytes in base64 (standard or URL alphabet, with padding or
// without) or in hexadecimal. Space around a key is ignored. An error names the key by its number,
// from 1, and never holds any of it. Parse refuses no keys, repeated keys, and keys that cannot be
// random.
func Parse(keys ...string) ([][]byte, error) {
	all := make([][]byte, len(keys))
	for i, text := range keys {
		key, err := decode(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("keyring: key %d %w", i+1, err)
		}
		all[i] = key
	}
	if _, err := seal.New(all); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return all, nil
}

func decode(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("is empty")
	}
	if len(text) == hex.EncodedLen(seal.KeySize) {
		if key, err := hex.DecodeString(text); err == nil {
			return key, nil
		}
	}
	text = strings.TrimRight(text, "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(key) != seal.KeySize {
		return nil, fmt.Errorf("is not %d bytes in base64 or hexadecimal: openssl rand -base64 32 "+
			"makes a key", seal.KeySize)
	}
	return key, nil
}

// ReadFile returns the keys in a file, one in each line, the one that seals first. Empty lines and
// lines that start with # are ignored. Only the owner should be able to read the file.
func ReadFile(name string) ([][]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("keyring: %w", err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("keyring: %s has more than %d bytes: it is not a file of keys", name,
			maxFile)
	}
	var keys []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			keys = append(keys, line)
		}
	}
	all, err := Parse(keys...)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, name)
	}
	return all, nil
}
