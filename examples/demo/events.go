package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scskit/scskit"
)

const keptEvents = 40

// events observes the store. It keeps the latest events and streams new ones.
type events struct {
	mu        sync.Mutex
	latest    []event // newest last
	listeners map[chan event]struct{}
	closed    chan struct{}
	closeOnce sync.Once
}

// event is a scskit.Event in the form that the page shows.
type event struct {
	Time      string
	Kind      string
	Outcome   string
	Framework string
	ID        string // shortened
	Took      string
}

func newEvents() *events {
	return &events{listeners: make(map[chan event]struct{}), closed: make(chan struct{})}
}

// observe is a scskit.Observer. It never blocks: a listener that is too slow misses events.
func (s *events) observe(ctx context.Context, e scskit.Event) {
	line := event{
		Time:      time.Now().Format("15:04:05.000"),
		Kind:      e.Kind.String(),
		Outcome:   e.Outcome.String(),
		Framework: frameworkOf(ctx),
		ID:        shortID(e.ID),
	}
	if e.Duration > 0 {
		line.Took = fmt.Sprintf("%.2f ms", float64(e.Duration)/float64(time.Millisecond))
	}
	if e.Kind == scskit.KindSweep && e.Count == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = append(s.latest, line)
	if len(s.latest) > keptEvents {
		s.latest = s.latest[len(s.latest)-keptEvents:]
	}
	for l := range s.listeners {
		select {
		case l <- line:
		default:
		}
	}
}

// list returns the latest events, newest first.
func (s *events) list() []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]event, 0, len(s.latest))
	for i := len(s.latest) - 1; i >= 0; i-- {
		list = append(list, s.latest[i])
	}
	return list
}

// listen returns a channel of new events. Call stop to unsubscribe.
func (s *events) listen() (_ <-chan event, stop func()) {
	l := make(chan event, 256)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[l] = struct{}{}
	return l, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, l)
	}
}

// serve streams new events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (s *events) serve(w http.ResponseWriter, r *http.Request) {
	list, stop := s.listen()
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	if out.Flush() != nil {
		return
	}
	for {
		select {
		case e := <-list:
			line, err := json.Marshal(e)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", line); err != nil || out.Flush() != nil {
				return
			}
		case <-s.closed:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// close ends all streams.
func (s *events) close() { s.closeOnce.Do(func() { close(s.closed) }) }

type frameworkKey struct{}

func withFramework(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, frameworkKey{}, name)
}

func frameworkOf(ctx context.Context) string {
	name, _ := ctx.Value(frameworkKey{}).(string)
	return name
}
