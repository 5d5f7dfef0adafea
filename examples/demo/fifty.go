package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// cells is how many requests write one session at once.
const cells = 50

// fiftyResult is what was left of fifty writes.
type fiftyResult struct {
	Kit, Stock tally
}

// tally is one cell for each write.
type tally struct {
	Cells []cell
	Kept  int
}

type cell struct {
	Key  string
	Slug string // of the framework that it was written through
	Kept bool
}

func (d *demo) serveFifty(w http.ResponseWriter, r *http.Request) {
	slugs := make([]string, len(d.frameworks))
	for i, f := range d.frameworks {
		slugs[i] = f.Slug
	}
	kit, err := d.fifty(r.Context(), slugs)
	if err == nil {
		var stock tally
		if stock, err = d.fifty(r.Context(), []string{"stock"}); err == nil {
			d.answer(w, r, "fifty", result{Fifty: &fiftyResult{Kit: kit, Stock: stock}})
			return
		}
	}
	d.fail(w, err)
}

// fifty begins a session and has fifty requests, spread over the slugs, put one key each
// into it. All of them have loaded the session before the first goes on to change it.
func (d *demo) fifty(ctx context.Context, slugs []string) (tally, error) {
	v, err := d.client.begin(ctx, "/"+slugs[0]+"/put", url.Values{"key": {"begun"}, "value": {"yes"}})
	if err != nil {
		return tally{}, err
	}
	gate, remove := d.gates.add()
	defer remove()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	t := tally{Cells: make([]cell, cells)}
	failed := make(chan error, cells)
	for i := range t.Cells {
		c := cell{Key: fmt.Sprintf("write %02d", i+1), Slug: slugs[i*len(slugs)/cells]}
		t.Cells[i] = c
		go func() {
			_, err := v.post(ctx, "/"+c.Slug+"/put",
				url.Values{"key": {c.Key}, "value": {"kept"}, "gate": {gate.id}})
			failed <- err
		}()
	}
	if err := gate.gather(ctx, cells); err != nil {
		return tally{}, err
	}
	gate.release()
	for range cells {
		if err := <-failed; err != nil {
			return tally{}, err
		}
	}

	seen, _, err := v.view(ctx, "/"+slugs[len(slugs)-1]+"/")
	if err != nil {
		return tally{}, err
	}
	kept := make(map[string]bool)
	for _, e := range seen.Entries {
		kept[e.Key] = true
	}
	for i := range t.Cells {
		if t.Cells[i].Kept = kept[t.Cells[i].Key]; t.Cells[i].Kept {
			t.Kept++
		}
	}
	_, err = v.post(ctx, "/"+slugs[0]+"/signout", nil)
	return t, err
}

// answer keeps what a request found out, and leads to the page that shows it.
func (d *demo) answer(w http.ResponseWriter, r *http.Request, section string, found result) {
	id := r.Header.Get(requestIDHeader)
	d.results.put(id, found)
	http.Redirect(w, r, "/?request="+url.QueryEscape(id)+"#"+section, http.StatusSeeOther)
}
