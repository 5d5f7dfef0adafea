package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores"
	_ "github.com/scskit/scskit/stores/all"
)

// openStore opens the store at a URL and creates its schema. place describes the store, without
// passwords.
func openStore(
	ctx context.Context, url string, opts scskit.Options,
) (store *scskit.Store, place string, closeStore func() error, err error) {
	store, closeStore, err = stores.Open(ctx, url, &opts)
	if err != nil {
		return nil, "", nil, fmt.Errorf("-store: %w", err)
	}
	if err := store.CreateSchema(ctx); err != nil {
		return nil, "", nil, errors.Join(fmt.Errorf("-store: create schema: %w", err), closeStore())
	}
	return store, stores.Describe(url), closeStore, nil
}
