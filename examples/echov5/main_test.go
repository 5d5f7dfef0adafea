package main

import (
	"net/http/httptest"
	"testing"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/examples/internal/shoptest"
	"github.com/scskit/scskit/stores/memstore"
)

func TestShop(t *testing.T) {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newShop(store))
	defer server.Close()
	shoptest.Run(t, server.URL)
}
