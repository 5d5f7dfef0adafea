package main

import (
	"context"
	"net/http"
	"net/url"
)

// raceResult is what became of a session that was signed out while requests used it.
type raceResult struct {
	Kit, Stock raced
}

// raced is one side of it.
type raced struct {
	Slow     []slowRequest
	CameBack bool // the old token opens the session again
}

// slowRequest had loaded the session before it was signed out, and ended afterwards.
type slowRequest struct {
	Name   string
	Cookie string // what its response did to the cookie: "cleared", "set again" or "left"
}

func (d *demo) serveRace(w http.ResponseWriter, r *http.Request) {
	kit, err := d.race(r.Context(), d.frameworks)
	if err == nil {
		var stock raced
		if stock, err = d.race(r.Context(),
			[]framework{{Name: "scs.LoadAndSave", Slug: "stock"}}); err == nil {
			d.answer(w, r, "race", result{Race: &raceResult{Kit: kit, Stock: stock}})
			return
		}
	}
	d.fail(w, err)
}

// race begins a session, has one request in each framework load it and wait, signs it out
// meanwhile, lets the requests go on to change it, and looks whether the old token is still good.
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
			res, err := v.post(ctx, "/"+f.Slug+"/put",
				url.Values{"key": {"late"}, "value": {"too late"}, "gate": {gate.id}})
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
	if seen.Live { // nobody else will end it
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
