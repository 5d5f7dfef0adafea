package keyring_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/keyring"
	"github.com/scskit/scskit/stores/memstore"
)

// Keys from the environment, the one that seals first.
func ExampleParse() {
	newKey, oldKey := keyring.New(), keyring.New() // such as os.Getenv("SESSION_KEY")
	keys, err := keyring.Parse(newKey, oldKey)
	if err != nil {
		log.Fatal(err)
	}
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{Keys: keys}})
	if err != nil {
		log.Fatal(err)
	}
	_ = scskit.New(store)
	// Output:
}

// kms is what a client of a KMS offers.
type kms interface {
	Encrypt(ctx context.Context, keyName string, plaintext []byte) ([]byte, error)
	Decrypt(ctx context.Context, keyName string, ciphertext []byte) ([]byte, error)
}

// kmsWrapper wraps keys with a key of the KMS.
type kmsWrapper struct {
	client  kms
	keyName string
}

func (w kmsWrapper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	return w.client.Encrypt(ctx, w.keyName, key)
}

func (w kmsWrapper) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	return w.client.Decrypt(ctx, w.keyName, wrapped)
}

// A Wrapper over a KMS. The keys are made once, stored wrapped, and unwrapped at the start.
func ExampleWrapper() {
	ctx := context.Background()
	wrapper := kmsWrapper{client: newClient(), keyName: "sessions"}
	wrapped, err := keyring.NewWrapped(ctx, wrapper) // once; then it is configuration
	if err != nil {
		log.Fatal(err)
	}
	keys, err := keyring.Unwrap(ctx, wrapper, wrapped) // at each start
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(keys), "key of", len(keys[0]), "bytes")
	// Output: 1 key of 32 bytes
}

// localKMS stands in for the client of a KMS.
type localKMS struct{ keyring.Wrapper }

func newClient() kms {
	master, err := keyring.Parse(keyring.New())
	if err != nil {
		log.Fatal(err)
	}
	w, err := keyring.Local(master...)
	if err != nil {
		log.Fatal(err)
	}
	return localKMS{w}
}

func (l localKMS) Encrypt(ctx context.Context, _ string, plaintext []byte) ([]byte, error) {
	return l.Wrap(ctx, plaintext)
}

func (l localKMS) Decrypt(ctx context.Context, _ string, ciphertext []byte) ([]byte, error) {
	return l.Unwrap(ctx, ciphertext)
}
