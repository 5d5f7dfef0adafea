package scskit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/memstore"
)

// A user signs in on a laptop and a phone, lists the sessions, and signs out everywhere else.
func ExampleStore_SessionsOf() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	signIn := func(user, device string) context.Context {
		ctx, err := sessions.Load(scskit.WithTracker(context.Background()), "")
		if err != nil {
			log.Fatal(err)
		}
		options := &scskit.SignInOptions{Label: device}
		if err := scskit.SignIn(ctx, sessions, user, options); err != nil {
			log.Fatal(err)
		}
		if _, _, err := sessions.Commit(ctx); err != nil {
			log.Fatal(err)
		}
		return ctx
	}
	signIn("alice", "laptop")
	signIn("bob", "laptop")
	ctx := signIn("alice", "telephone") // in a handler, use the request's context

	devices := map[string]string{}
	for session, err := range store.SessionsOf(ctx, "alice") {
		if err != nil {
			log.Fatal(err)
		}
		which := "another"
		if session.Current {
			which = "this one"
		}
		devices[session.Label] = which
	}
	fmt.Println(devices)

	n, err := store.DestroySessionsOf(ctx, "alice", sessions.Token(ctx))
	fmt.Println(n, err)
	// Output:
	// map[laptop:another telephone:this one]
	// 1 <nil>
}
