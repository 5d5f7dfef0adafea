package conformance

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing/fstest"
	"time"
)

// httpNeighbours is the middleware of net/http, and middleware that its users write themselves.
var httpNeighbours = map[Neighbour]func(http.Handler) http.Handler{
	Compress: withCompression,
	Timeout: func(next http.Handler) http.Handler {
		return http.TimeoutHandler(next, 10*time.Minute, "too late")
	},
	Abandon: func(next http.Handler) http.Handler {
		bounded := http.TimeoutHandler(next, 10*time.Minute, "too late")
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			bounded.ServeHTTP(w, r.WithContext(Abandonable(r.Context())))
		})
	},
	Dump: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&tee{w, io.Discard}, r)
		})
	},
	Log: func(next http.Handler) http.Handler {
		logger := log.New(io.Discard, "", 0)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			logger.Print(r.Method, r.Pattern)
		})
	},
	Secure: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			next.ServeHTTP(w, r)
		})
	},
	ETag:  withETag,
	Files: withFiles,
}

const (
	staticFile = "static/page.txt"
	staticText = "a static page\n"
)

// StaticFiles returns the files that a Neighbour of the kind Files serves under their names, as
// http.FileServerFS does.
func StaticFiles() fs.FS {
	return fstest.MapFS{staticFile: {Data: []byte(staticText), ModTime: time.Now().Add(-time.Hour)}}
}

// withFiles serves StaticFiles, and passes on all other requests.
func withFiles(next http.Handler) http.Handler {
	files := StaticFiles()
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := fs.Stat(files, strings.TrimPrefix(r.URL.Path, "/")); err != nil {
			next.ServeHTTP(w, r)
			return
		}
		server.ServeHTTP(w, r)
	})
}

// tee copies the body to copies.
type tee struct {
	http.ResponseWriter
	copies io.Writer
}

func (w *tee) Write(b []byte) (int, error) {
	_, _ = w.copies.Write(b)
	return w.ResponseWriter.Write(b)
}

func (w *tee) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// withCompression compresses responses with pooled compressors.
func withCompression(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		zip, _ := compressors.Get().(*gzip.Writer)
		zip.Reset(w)
		c := &compressor{ResponseWriter: w, zip: zip}
		defer compressors.Put(zip)
		next.ServeHTTP(c, r)
		switch {
		case c.used:
			_ = zip.Close()
		case c.status != 0:
			w.WriteHeader(c.status)
		}
	})
}

var compressors = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

// compressor compresses a response that has a body.
type compressor struct {
	http.ResponseWriter
	zip    *gzip.Writer
	status int
	used   bool
}

// WriteHeader records the status until the body begins.
func (c *compressor) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

func (c *compressor) Write(b []byte) (int, error) {
	if !c.used {
		c.used = true
		c.Header().Set("Content-Encoding", "gzip")
		c.Header().Del("Content-Length")
		if c.status != 0 {
			c.ResponseWriter.WriteHeader(c.status)
		}
	}
	return c.zip.Write(b)
}

func (c *compressor) FlushError() error {
	if c.used {
		if err := c.zip.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

func (c *compressor) Flush() { _ = c.FlushError() }

// withETag buffers the response to compute its ETag.
func withETag(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := &bufferedWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(k, r)
		if k.status == http.StatusOK {
			w.Header().Set("Etag", fmt.Sprintf(`"%x"`, crc32.ChecksumIEEE(k.body.Bytes())))
		}
		w.WriteHeader(k.status)
		_, _ = k.body.WriteTo(w)
	})
}

type bufferedWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *bufferedWriter) WriteHeader(status int) { k.status = status }

func (k *bufferedWriter) Write(b []byte) (int, error) { return k.body.Write(b) }

func (k *bufferedWriter) Flush() {}
