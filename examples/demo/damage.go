package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// damageResult is the result of damaging the record of a session.
type damageResult struct {
	None    bool // there was no session
	Answers []answer
	Events  int // the number of events of scskit.KindCorrupt
}

// answer is the response of a framework to a request with the damaged session.
type answer struct {
	Name   string
	Status int
	Live   bool
}

func (d *demo) serveDamage(w http.ResponseWriter, r *http.Request) {
	token := tokenOf(r, d.sessions.Cookie.Name)
	err := d.damage(r.Context(), token)
	if errors.Is(err, driver.ErrNotFound) {
		d.answer(w, r, "damage", result{Damage: &damageResult{None: true}})
		return
	}
	if err != nil {
		d.fail(w, err)
		return
	}
	received, stop := d.events.listen()
	defer stop()
	found := &damageResult{}
	for i, seen := range d.look(w, r) {
		found.Answers = append(found.Answers, answer{d.frameworks[i].Name, seen.Status, seen.Live})
	}
	kind, id := scskit.KindCorrupt.String(), shortID(scskit.HashToken(token))
	for range len(received) {
		if e := <-received; e.Kind == kind && e.ID == id {
			found.Events++
		}
	}
	d.answer(w, r, "damage", result{Damage: found})
}

// damage overwrites the record of the visitor's session with bytes that no codec can decode. It
// uses the driver, since the store writes only valid sessions.
func (d *demo) damage(ctx context.Context, token string) error {
	if token == "" {
		return driver.ErrNotFound
	}
	rec, err := d.store.Driver().Load(ctx, scskit.HashToken(token))
	if err != nil {
		return err
	}
	before := rec.Version
	rec.Data, rec.Version = []byte("\xffdamaged"), 1+rand.Int64N(1<<62)
	return d.store.Driver().Save(ctx, rec, driver.IfVersion(before))
}
