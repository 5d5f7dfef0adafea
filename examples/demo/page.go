package main

import (
	"bytes"
	"embed"
	"html/template"
	"log"
	"net/http"
	"sync"
	"time"
)

//go:embed page
var files embed.FS

var page = template.Must(template.New("index.html").Funcs(template.FuncMap{
	"short": shortID,
	"clock": func(t time.Time) string { return t.Local().Format("2 Jan 15:04") },
	"slug":  slugOf,
}).ParseFS(files, "page/index.html"))

// seen is the session in one framework.
type seen struct {
	framework
	view
	Status int
	Err    bool // the request failed
}

// pageData is the data of page/index.html.
type pageData struct {
	Place   string
	Cards   []seen
	Session view // of the first card that has a session
	Cookie  string
	Events  []event
	Cells   []struct{}
	result
}

// servePage shows the visitor's session in each framework, and the result of the request that
// redirected here.
func (d *demo) servePage(w http.ResponseWriter, r *http.Request) {
	data := pageData{
		Place:  d.place,
		Cards:  d.look(w, r),
		Cookie: d.sessions.Cookie.Name,
		Events: d.events.list(),
		Cells:  make([]struct{}, cells),
		result: d.results.get(r.FormValue("request")),
	}
	for _, c := range data.Cards {
		if c.Live {
			data.Session = c.view
			break
		}
	}
	var html bytes.Buffer
	if err := page.Execute(&html, data); err != nil {
		d.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(html.Bytes()) // fails if the client has disconnected
}

// look requests the session of the browser that sent r from each framework. If a framework sets a
// cookie, look copies it to w.
func (d *demo) look(w http.ResponseWriter, r *http.Request) []seen {
	v := visitor{client: d.client}
	if token := tokenOf(r, d.sessions.Cookie.Name); token != "" {
		v.cookie = &http.Cookie{Name: d.sessions.Cookie.Name, Value: token}
	}
	all := make([]seen, len(d.frameworks))
	cookies := make([]string, len(d.frameworks))
	var wg sync.WaitGroup
	for i, f := range d.frameworks {
		wg.Go(func() {
			view, res, err := v.view(r.Context(), "/"+f.Slug+"/")
			all[i] = seen{framework: f, view: view, Err: err != nil}
			all[i].Status = res.status
			if len(res.set) > 0 {
				cookies[i] = res.set[0]
			}
			if err != nil {
				log.Print(err)
			}
		})
	}
	wg.Wait()
	for _, line := range cookies {
		if line != "" {
			w.Header().Add("Set-Cookie", line)
			w.Header().Set("Cache-Control", "no-store")
			break
		}
	}
	return all
}

func (d *demo) fail(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, "The demo failed; see its log for the reason.", http.StatusInternalServerError)
}

// slugOf returns the slug of the framework with the given name.
func slugOf(name string) string {
	slugs := map[string]string{
		"Gin": "gin", "Echo v4": "echo", "Echo v5": "echov5", "Fiber v2": "fiber", "Fiber v3": "fiberv3",
		"Chi": "chi", "net/http": "nethttp",
	}
	return slugs[name]
}
