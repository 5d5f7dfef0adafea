package adapters

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"time"
)

// abandoned reports whether http.TimeoutHandler, around the middleware, has answered the request or
// is about to. Nothing that is written to w then reaches the client, and no cookie does. Its writer
// does not say so before it is written to, but it holds the request, whose context does.
func abandoned(ctx context.Context, w http.ResponseWriter) bool {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) { // nor is any context around it over
		return false
	}
	for w != nil {
		if t := timeoutWriter(); t.writer != nil && reflect.TypeOf(w) == t.writer {
			// Another middleware between may have set an earlier deadline, so that ctx does not tell.
			request := (*http.Request)(reflect.ValueOf(w).Elem().FieldByIndex(t.request).UnsafePointer())
			return request != nil && errors.Is(request.Context().Err(), context.DeadlineExceeded)
		}
		below, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = below.Unwrap()
	}
	return false
}

type timeoutWriterType struct {
	writer  reflect.Type
	request []int // the index of the field that holds the request
}

// timeoutWriter looks at what http.TimeoutHandler gives to its handler. In a version of Go in which
// that has no request the result is zero.
var timeoutWriter = sync.OnceValue(func() (t timeoutWriterType) {
	look := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writer := reflect.TypeOf(w)
		if writer.Kind() != reflect.Pointer || writer.Elem().Kind() != reflect.Struct {
			return
		}
		field, ok := writer.Elem().FieldByName("req")
		if ok && field.Type == reflect.TypeFor[*http.Request]() {
			t = timeoutWriterType{writer, field.Index}
		}
	})
	http.TimeoutHandler(look, time.Hour, "").ServeHTTP(nowhere{}, new(http.Request))
	return t
})

// nowhere is a response that nobody reads.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
