// Package seal encrypts and authenticates records with AES-256-GCM and rotating keys.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// ErrOpen means that a sealed record was damaged or forged, has another binding, or was sealed
// under a key that the Sealer does not have.
var ErrOpen = errors.New("cannot open the sealed record")

// Sealer seals with the first of its keys and opens with any of them. It is safe for concurrent
// use.
//
// Nonces are random, for which NIST SP 800-38D allows at most 2^32 records under one key. Rotate
// keys before that.
type Sealer struct{ keys []cipher.AEAD }

// New returns a Sealer. Each key is KeySize random bytes, not a password; the newest comes first.
func New(keys [][]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("no keys: pass at least one of 32 random bytes " +
			"(openssl rand -hex 32 makes one in hexadecimal)")
	}
	s := &Sealer{keys: make([]cipher.AEAD, len(keys))}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("key %d has %d bytes: it must have %d", i, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		if s.keys[i], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
	}
	return s, nil
}

// Overhead returns the number of bytes that sealing adds.
func (s *Sealer) Overhead() int { return s.keys[0].Overhead() }

// Seal encrypts and authenticates plaintext, and authenticates binding. The result opens only with
// the same binding, which identifies the record's purpose.
func (s *Sealer) Seal(plaintext []byte, binding string) []byte {
	return s.keys[0].Seal(nil, nil, plaintext, []byte(binding))
}

// Open returns the plaintext, and whether it was sealed under the first key. The only error is
// ErrOpen.
func (s *Sealer) Open(sealed []byte, binding string) (plaintext []byte, current bool, err error) {
	for i, key := range s.keys {
		if plaintext, err := key.Open(nil, nil, sealed, []byte(binding)); err == nil {
			return plaintext, i == 0, nil
		}
	}
	return nil, false, ErrOpen
}
