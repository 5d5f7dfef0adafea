package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// result is the result of one request, for the page that it redirects to. Its key is the request's
// id, which is random and known only to the visitor.
type result struct {
	Response *response
	Fifty    *fiftyResult
	Race     *raceResult
	Damage   *damageResult
}

// response is the status and header of a response, with shortened cookies.
type response struct {
	Request string // "POST /gin/put"
	Status  string // "303 See Other"
	Headers []headerLine
}

type headerLine struct{ Name, Value string }

// results keeps the latest results.
type results struct {
	mu    sync.Mutex
	byID  map[string]result
	order []string
}

const maxResults = 2000

func (s *results) put(id string, r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = make(map[string]result)
	}
	if _, ok := s.byID[id]; !ok {
		s.order = append(s.order, id)
	}
	s.byID[id] = r
	for len(s.order) > maxResults {
		delete(s.byID, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *results) get(id string) result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// record records the status and header of each response of h to a POST.
func (s *results) record(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			h.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(&recorder{ResponseWriter: w, note: func(code int) {
			s.put(r.Header.Get(requestIDHeader), result{Response: &response{
				Request: r.Method + " " + r.URL.Path,
				Status:  fmt.Sprint(code, " ", http.StatusText(code)),
				Headers: headerLines(w.Header()),
			}})
		}}, r)
	})
}

// recorder calls note when the response begins.
type recorder struct {
	http.ResponseWriter
	note func(code int)
	done bool
}

func (w *recorder) WriteHeader(code int) {
	if !w.done && code >= http.StatusOK {
		w.done = true
		w.note(code)
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *recorder) Write(b []byte) (int, error) {
	if !w.done {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// headerLines returns the header's lines. Those that the session middleware sets come first.
func headerLines(h http.Header) []headerLine {
	var lines []headerLine
	add := func(name string) {
		for _, value := range h[name] {
			if name == "Set-Cookie" {
				value = shortenCookie(value)
			}
			if name == "Location" {
				value, _, _ = strings.Cut(value, "?") // hide the result's id
			}
			lines = append(lines, headerLine{name, value})
		}
	}
	first := []string{"Set-Cookie", "Cache-Control", "Vary", "Location"}
	// These are the same in every response.
	omitted := []string{"Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options"}
	for _, name := range first {
		add(name)
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !slices.Contains(first, name) && !slices.Contains(omitted, name) {
			add(name)
		}
	}
	return lines
}

// shortenCookie cuts the value of a cookie, so that it cannot be used.
func shortenCookie(line string) string {
	const shown = 6
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, _ := strings.Cut(pair, "=")
	if len(value) > shown {
		value = fmt.Sprintf("%s… (%d more)", value[:shown], len(value)-shown)
	}
	return name + "=" + value + ";" + attributes
}

// tokenOf returns the session token in the request's cookie, or "".
func tokenOf(r *http.Request, cookie string) string {
	c, err := r.Cookie(cookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// shortID returns the first characters of an id, enough to tell sessions apart.
func shortID(id string) string {
	if len(id) > 10 {
		return id[:10]
	}
	return id
}
