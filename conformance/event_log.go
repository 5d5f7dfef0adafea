package conformance

import (
	"context"
	"sync"

	"github.com/scskit/scskit"
)

// eventLog is an Observer that records its events.
type eventLog struct {
	mu     sync.Mutex
	events []scskit.Event
}

func (l *eventLog) observe(_ context.Context, e scskit.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// of returns the events of the kinds, or all events if there are none.
func (l *eventLog) of(kinds ...scskit.Kind) []scskit.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []scskit.Event
	for _, e := range l.events {
		for _, k := range kinds {
			if e.Kind == k {
				found = append(found, e)
			}
		}
		if len(kinds) == 0 {
			found = append(found, e)
		}
	}
	return found
}
