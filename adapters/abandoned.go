package adapters

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"time"
)

// abandoned reports whether http.TimeoutHandler, around the middleware, has answered the request or
// is about to, so that nothing that is written to w reaches the client. Its writer does not tell
// before it is written to; but while a handler runs whose time is over, there is no other outcome.
func abandoned(ctx context.Context, w http.ResponseWriter) bool {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return false
	}
	for w != nil {
		if reflect.TypeOf(w) == timeoutWriter() {
			return true
		}
		below, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = below.Unwrap()
	}
	return false
}

// timeoutWriter returns the type of what http.TimeoutHandler gives to its handler.
var timeoutWriter = sync.OnceValue(func() reflect.Type {
	var t reflect.Type
	look := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { t = reflect.TypeOf(w) })
	http.TimeoutHandler(look, time.Hour, "").ServeHTTP(httptest.NewRecorder(), new(http.Request))
	return t
})
