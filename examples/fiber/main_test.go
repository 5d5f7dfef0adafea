package main

import (
	"net"
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := newShop(store)
	served := make(chan error, 1)
	go func() { served <- app.Listener(listener) }()
	shoptest.Run(t, "http://"+listener.Addr().String())
	if err := app.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
