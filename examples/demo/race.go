package main

import (
	"context"
	"net/http"
	"net/url"
)

// raceResult is the result of signing a session out while requests use it.
type raceResult struct {
	Scskit, Stock raced
}

// raced is one side of the result.
type raced struct {
	Slow     []slowRequest
	CameBack bool // the old token opens the session again
}

// slowRequest is a request that loads the session before the sign-out and ends after it.
type slowRequest struct {
	Name   string
	Cookie string // the effect of its response on the cookie: "cleared", "set again" or "left"
}

func (d *demo) serveRace(w http.ResponseWriter, r *http.Request) {
	ours, err := d.race(r.Context(), d.frameworks)
	if err != nil {
		d.fail(w, err)
		return
	}
	stock, err := d.race(r.Context(), []framework{{Name: "scs.LoadAndSave", Slug: "stock"}})
	if err != nil {
		d.fail(w, err)
		return
	}
	d.answer(w, r, "race", result{Race: &raceResult{Scskit: ours, Stock: stock}})
}

// race begins a session and sends one request to each framework. The requests load the session and
// wait at a gate. race signs the session out, lets the requests change it, and checks whether the
// old token still opens it.
func (d *demo) race(ctx context.Context, in []framework) (raced, error) {
	last := "/" + in[len(in)-1].Slug + "/"
	v, err := d.client.begin(ctx, last+"put", url.Values{"key": {"secret"}, "value": {"of a visitor"}})
	if err != nil {
		return raced{}, err
	}
	gate, remove := d.gates.add()
	defer remove()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	type ended struct {
		i   int
		did string
		err error
	}
	all := make(chan ended, len(in))
	for i, f := range in {
		go func() {
			form := url.Values{"key": {"late"}, "value": {"too late"}, "gate": {gate.id}}
			res, err := v.post(ctx, "/"+f.Slug+"/put", form)
			if err != nil {
				all <- ended{i: i, err: err}
				return
			}
			all <- ended{i: i, did: cookieChange(res, v.cookie.Name)}
		}()
	}
	if err := gate.gather(ctx, len(in)); err != nil {
		return raced{}, err
	}
	if _, err := v.post(ctx, last+"signout", nil); err != nil {
		return raced{}, err
	}
	gate.release()

	r := raced{Slow: make([]slowRequest, len(in))}
	for range in {
		e := <-all
		if e.err != nil {
			return raced{}, e.err
		}
		r.Slow[e.i] = slowRequest{Name: in[e.i].Name, Cookie: e.did}
	}
	seen, _, err := v.view(ctx, last)
	if err != nil {
		return raced{}, err
	}
	r.CameBack = seen.Live
	if seen.Live { // remove it from the store
		_, err = v.post(ctx, last+"signout", nil)
	}
	return r, err
}

func cookieChange(res reply, name string) string {
	for _, c := range res.cookies() {
		switch {
		case c.Name != name:
		case c.MaxAge < 0:
			return "cleared"
		default:
			return "set again"
		}
	}
	return "left"
}
