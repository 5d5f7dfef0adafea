package start_test

import (
	"context"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
)

func signOutEverywhere(ctx context.Context, store *scskit.Store,
	sessions *scs.SessionManager) error {
	user := sessions.GetString(ctx, "user") // or from GetInt, with strconv.Itoa
	if _, err := store.DestroySessionsOf(ctx, user, sessions.Token(ctx)); err != nil {
		return err
	}
	return sessions.Destroy(ctx) // the request's own, with its cookie
}
