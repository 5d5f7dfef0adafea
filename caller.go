package scskit

import (
	"context"
	"log/slog"
	"strings"

	"github.com/scskit/scskit/internal/caller"
	"github.com/scskit/scskit/internal/tracking"
)

// deletion says what a manager deletes a session for.
type deletion uint8

const (
	byOther deletion = iota
	byDestroy
	byRenewal
	byMerge
)

// deletionFor tells what the delete is for from who calls it: scs asks the same of a store in all
// three cases. What it does not know is byOther.
func deletionFor() deletion {
	for method := range caller.Methods {
		switch method {
		case "Destroy":
			return byDestroy
		case "RenewToken":
			return byRenewal
		case "MergeSession":
			return byMerge
		}
	}
	return byOther
}

// byStockMiddleware reports whether scs's own LoadAndSave is what calls.
func byStockMiddleware() bool {
	for method := range caller.Methods {
		if method == "commitAndWriteSessionCookie" || strings.HasPrefix(method, "LoadAndSave") {
			return true
		}
	}
	return false
}

// tellUntracked tells that scs's own middleware has saved a session: it gives the store no tracker,
// so that the session overwrote what others had saved. The Observer hears of it each time, the log
// once.
func (s *Store) tellUntracked(ctx context.Context, id string) {
	s.report(ctx, Event{Kind: KindUntracked, Outcome: OutcomeOK, ID: s.ids.public(id)})
	s.warned.Do(func() {
		slog.WarnContext(tracking.WithoutSession(ctx),
			"scskit: sessions are saved by scs's own LoadAndSave, which "+
				"loses concurrent changes and brings destroyed sessions back; use an adapter's in its place, "+
				"such as scshttp.LoadAndSave(sessions)(mux) of github.com/scskit/scskit/adapters/nethttp")
	})
}
