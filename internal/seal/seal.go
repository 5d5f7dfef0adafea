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

// ErrOpen says that something sealed does not open: it was damaged or made up, belongs to another
// purpose, or its key has been retired.
var ErrOpen = errors.New("sealed record does not open")

// Sealer seals with the first of its keys and opens with any. It is safe for
// concurrent use.
//
// Nonces are random. NIST SP 800-38D allows 2^32 records under one key then; rotate
// keys before that.
type Sealer struct{ keys []cipher.AEAD }

// New returns a sealer. The keys are of KeySize bytes each, the newest first, all random:
// a password is no key.
func New(keys [][]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key: give one of 32 random bytes, such as openssl rand " +
			"-hex 32 makes")
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

// Overhead is how many bytes sealing adds.
func (s *Sealer) Overhead() int { return s.keys[0].Overhead() }

// Seal returns the sealed plaintext. It opens only with the same binding, which says what the
// record is and where it belongs.
func (s *Sealer) Seal(plaintext []byte, binding string) []byte {
	return s.keys[0].Seal(nil, nil, plaintext, []byte(binding))
}

// Open returns what was sealed, and whether under the first key. Else the error is ErrOpen.
func (s *Sealer) Open(sealed []byte, binding string) (plaintext []byte, current bool, err error) {
	for i, key := range s.keys {
		if plaintext, err := key.Open(nil, nil, sealed, []byte(binding)); err == nil {
			return plaintext, i == 0, nil
		}
	}
	return nil, false, ErrOpen
}
