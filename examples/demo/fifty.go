package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// cells is the number of requests that write one session at the same time.
const cells = 50

// fiftyResult shows which of the fifty writes were kept.
type fiftyResult struct {
	Scskit, Stock tally
}

// tally has one cell for each write.
type tally struct {
	Cells []cell
	Kept  int
}

type cell struct {
	Key  string
	Slug string // the framework that served the write
	Kept bool
}

func (d *demo) serveFifty(w http.ResponseWriter, r *http.Request) {
	slugs := make([]string, len(d.frameworks))
	for i, f := range d.frameworks {
		slugs[i] = f.Slug
	}
	kept, err := d.fifty(r.Context(), slugs)
	if err != nil {
		d.fail(w, err)
		return
	}
	stock, err := d.fifty(r.Context(), []string{"stock"})
	if err != nil {
		d.fail(w, err)
		return
	}
	d.answer(w, r, "fifty", result{Fifty: &fiftyResult{Scskit: kept, Stock: stock}})
}

// fifty begins a session and sends fifty requests, spread over the slugs. Each puts one key. All of
// them load the session before the first one changes it.
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
			form := url.Values{"key": {c.Key}, "value": {"kept"}, "gate": {gate.id}}
			_, err := v.post(ctx, "/"+c.Slug+"/put", form)
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

// answer stores the result of a request and redirects to the page that shows it.
func (d *demo) answer(w http.ResponseWriter, r *http.Request, section string, found result) {
	id := r.Header.Get(requestIDHeader)
	d.results.put(id, found)
	http.Redirect(w, r, "/?request="+url.QueryEscape(id)+"#"+section, http.StatusSeeOther)
}
