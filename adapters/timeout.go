package adapters

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"time"
)

// timedOut reports whether an outer http.TimeoutHandler has answered the request or is about to.
// Nothing written to w, and so no cookie, then reaches the client. The writer of TimeoutHandler
// does not report the timeout before the first write, but the context of the request that it holds
// does.
func timedOut(ctx context.Context, w http.ResponseWriter) bool {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) { // an outer context has not expired either
		return false
	}
	for w != nil {
		if t := timeoutWriter(); t.writer != nil && reflect.TypeOf(w) == t.writer {
			// ctx may have an earlier deadline, of another middleware in between.
			field := reflect.ValueOf(w).Elem().FieldByIndex(t.request)
			request := (*http.Request)(field.UnsafePointer())
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

// timeoutWriter returns the type of writer that http.TimeoutHandler gives to its handler. The
// result is zero in a version of Go whose writer does not hold the request.
var timeoutWriter = sync.OnceValue(func() (t timeoutWriterType) {
	inspect := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writer := reflect.TypeOf(w)
		if writer.Kind() != reflect.Pointer || writer.Elem().Kind() != reflect.Struct {
			return
		}
		field, ok := writer.Elem().FieldByName("req")
		if ok && field.Type == reflect.TypeFor[*http.Request]() {
			t = timeoutWriterType{writer, field.Index}
		}
	})
	http.TimeoutHandler(inspect, time.Hour, "").ServeHTTP(discard{}, new(http.Request))
	return t
})

// discard is a ResponseWriter that discards the response.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
