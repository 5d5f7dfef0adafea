package keyring

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/scskit/scskit/internal/seal"
)

// A Wrapper encrypts keys under a key that it does not reveal, such as one in a KMS or an HSM. The
// application stores the wrapped keys, and unwraps them when it starts: sessions are sealed with
// the unwrapped keys, without a call of the KMS.
//
// A Wrapper of your own is a few lines over the SDK of your KMS; the example of the interface shows
// one. Its methods are safe for concurrent use.
type Wrapper interface {
	// Wrap encrypts a key.
	Wrap(ctx context.Context, key []byte) (wrapped []byte, err error)

	// Unwrap returns the key that Wrap has encrypted. It must fail if wrapped was changed.
	Unwrap(ctx context.Context, wrapped []byte) (key []byte, err error)
}

// NewWrapped makes a key and returns it wrapped, in base64, to be stored with the configuration.
func NewWrapped(ctx context.Context, w Wrapper) (string, error) {
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key) // never fails
	defer clear(key)
	wrapped, err := w.Wrap(ctx, key)
	if err != nil {
		return "", fmt.Errorf("keyring: wrap: %w", err)
	}
	return base64.StdEncoding.EncodeToString(wrapped), nil
}

// Unwrap returns the keys that NewWrapped has made, in the same order. It refuses what Parse
// refuses.
func Unwrap(ctx context.Context, w Wrapper, wrapped ...string) ([][]byte, error) {
	all := make([][]byte, len(wrapped))
	for i, text := range wrapped {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("keyring: wrapped key %d is not in base64", i+1)
		}
		if all[i], err = w.Unwrap(ctx, b); err != nil {
			return nil, fmt.Errorf("keyring: unwrap key %d: %w", i+1, err)
		}
	}
	if _, err := seal.New(all); err != nil {
		return nil, fmt.Errorf("keyring: unwrapped %w", err)
	}
	return all, nil
}

// localBinding is authenticated with each key that a local Wrapper wraps.
const localBinding = "scskit wrapped key 1"

type local struct{ sealer *seal.Sealer }

// Local returns a Wrapper that wraps with AES-256-GCM under the first of its own keys, and unwraps
// with any of them. Use it where there is no KMS, such as in development, or with a key that only
// the start of the program can read.
func Local(keys ...[]byte) (Wrapper, error) {
	s, err := seal.New(keys)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return local{s}, nil
}

func (l local) Wrap(_ context.Context, key []byte) ([]byte, error) {
	return l.sealer.Seal(key, localBinding), nil
}

func (l local) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	key, _, err := l.sealer.Open(wrapped, localBinding)
	return key, err
}
