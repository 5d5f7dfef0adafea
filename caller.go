package scskit

import (
	"context"
	"log/slog"
	"strings"

	"github.com/scskit/scskit/internal/caller"
	"github.com/scskit/scskit/internal/tracking"
)

// deleteReason is why a manager deletes a session.
type deleteReason uint8

const (
	reasonOther deleteReason = iota
	reasonDestroy
	reasonRenewal
	reasonMerge
)

// callerReason finds the reason in the call stack, since scs makes the same call for all of them.
func callerReason() deleteReason {
	for method := range caller.Methods {
		switch method {
		case "Destroy":
			return reasonDestroy
		case "RenewToken":
			return reasonRenewal
		case "MergeSession":
			return reasonMerge
		}
	}
	return reasonOther
}

// calledByStockMiddleware reports whether the call comes from scs's own LoadAndSave.
func calledByStockMiddleware() bool {
	for method := range caller.Methods {
		if method == "commitAndWriteSessionCookie" || strings.HasPrefix(method, "LoadAndSave") {
			return true
		}
	}
	return false
}

// reportUntracked reports a save by scs's own middleware. That middleware provides no tracker, so
// the save overwrote concurrent changes. The Observer gets an event for each save. The log gets one
// message.
func (s *Store) reportUntracked(ctx context.Context, id string) {
	s.report(ctx, Event{Kind: KindUntracked, Outcome: OutcomeOK, ID: s.ids.public(id)})
	s.warned.Do(func() {
		slog.WarnContext(tracking.WithoutSession(ctx),
			"scskit: sessions are saved by scs's own LoadAndSave, which "+
				"loses concurrent changes and brings destroyed sessions back; use an adapter's in its place, "+
				"such as scshttp.LoadAndSave(sessions)(mux) of github.com/scskit/scskit/adapters/nethttp")
	})
}
