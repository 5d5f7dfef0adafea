// Package visit makes HTTP requests for the tests of several packages.
package visit

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime/multipart"
	"net/http"
	"testing"
)

// Get makes a GET request that accepts gzip, and returns the response and its decompressed body.
func Get(tb testing.TB, url string, cookies ...*http.Cookie) (*http.Response, string) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(resp.Body); err != nil {
			tb.Fatalf("%s: %v", url, err)
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		tb.Fatalf("%s: %v", url, err)
	}
	return resp, string(b)
}

// Upload returns a POST request that uploads a file of one MiB in the form field "file".
func Upload(tb testing.TB, url string) *http.Request {
	tb.Helper()
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	part, err := parts.CreateFormFile("file", "upload.bin")
	if err == nil {
		_, err = part.Write(make([]byte, 1<<20))
	}
	if err == nil {
		err = parts.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, url, &form)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Content-Type", parts.FormDataContentType())
	return r
}
