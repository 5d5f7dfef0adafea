// Package seal encrypts and authenticates records with AES-256-GCM and rotating keys.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

var (
	// ErrOpen means that a sealed record was damaged or forged, has another binding, or was sealed
	// under a key that the Sealer does not have.
	ErrOpen = errors.New("cannot open the sealed record")

	// ErrUnknownKey means that a record was sealed under a key that the Sealer does not have.
	ErrUnknownKey = errors.New("the record is sealed under an unknown key")

	// ErrNotSealed means that a record is not a sealed one.
	ErrNotSealed = errors.New("the record is not sealed")
)

// Sealer seals with the first of its keys and opens with any of them. It is safe for concurrent
// use.
//
// Nonces are random, for which NIST SP 800-38D allows at most 2^32 records under one key. Rotate
// keys before that.
type Sealer struct{ keys []aead }

type aead struct {
	cipher.AEAD
	id uint32 // of a record; see SealRecord
}

// New returns a Sealer. Each key is KeySize random bytes. It refuses keys that are repeated, and
// those that cannot be random.
func New(keys [][]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("no keys: pass at least one of 32 random bytes " +
			"(openssl rand -base64 32 makes one)")
	}
	s := &Sealer{keys: make([]aead, len(keys))}
	for i, k := range keys {
		if err := CheckKey(k); err != nil {
			return nil, fmt.Errorf("key %d %w", i+1, err)
		}
		for j := range i {
			if bytes.Equal(keys[j], k) {
				return nil, fmt.Errorf("key %d equals key %d: pass each key once", i+1, j+1)
			}
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if s.keys[i].AEAD, err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		sum := sha256.Sum256(append([]byte("scskit key id "), k...))
		s.keys[i].id = binary.BigEndian.Uint32(sum[:])
	}
	return s, nil
}

// minDistinct is how many different bytes a key must have. Of 32 random bytes fewer are different
// once in 10^23 keys.
const minDistinct = 16

// CheckKey returns an error if k has the wrong length, or if it is practically impossible that it
// is random. The error is a phrase that follows the name of the key, and does not hold the key.
func CheckKey(k []byte) error {
	if len(k) != KeySize {
		return fmt.Errorf("has %d bytes: it must have %d (openssl rand -base64 32 makes one, in base64)",
			len(k), KeySize)
	}
	var seen [256]bool
	distinct, printable := 0, true
	for _, b := range k {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
		printable = printable && b >= ' ' && b <= '~'
	}
	switch {
	case printable:
		return errors.New("is text, not random bytes: decode it from base64 or hexadecimal first; " +
			"a password is not a key")
	case distinct < minDistinct:
		return errors.New("is not random: openssl rand -base64 32 makes a key, in base64")
	}
	return nil
}

// Overhead returns the number of bytes that Seal adds.
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
