package matrix_test

import (
	"errors"
	"net/http"
	"os"
	"testing"

	"github.com/scskit/scskit"
	scschi "github.com/scskit/scskit/adapters/chi"
	chiharness "github.com/scskit/scskit/adapters/chi/harness"
	scsecho "github.com/scskit/scskit/adapters/echo"
	echoharness "github.com/scskit/scskit/adapters/echo/harness"
	scsechov5 "github.com/scskit/scskit/adapters/echov5"
	echov5harness "github.com/scskit/scskit/adapters/echov5/harness"
	scsgin "github.com/scskit/scskit/adapters/gin"
	ginharness "github.com/scskit/scskit/adapters/gin/harness"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	nethttpharness "github.com/scskit/scskit/adapters/nethttp/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/visit"
	"github.com/scskit/scskit/stores/memstore"
)

// TestUpload checks that the temporary file of an uploaded form is removed at the end of the
// request. It does not test Fiber, which does not use net/http requests and removes its files
// itself.
func TestUpload(t *testing.T) {
	t.Parallel()
	for _, adapter := range []conformance.Adapter{
		nethttpharness.New(scshttp.LoadAndSave),
		chiharness.New(scschi.LoadAndSave),
		ginharness.New(scsgin.LoadAndSave),
		echoharness.New(scsecho.LoadAndSave),
		echov5harness.New(scsechov5.LoadAndSave),
	} {
		t.Run(adapter.Name, func(t *testing.T) {
			t.Parallel()
			store, err := memstore.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			files := make(chan string, 1)
			parse := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if err := r.ParseMultipartForm(1 << 10); err != nil {
					t.Error(err)
					return
				}
				f, err := r.MultipartForm.File["file"][0].Open()
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				files <- f.(*os.File).Name()
			})
			app := conformance.App{Sessions: scskit.New(store), Routes: []conformance.Route{{
				Method: http.MethodPost, Path: "/upload",
				Handler: func(c conformance.Context) error { return c.(conformance.Mounter).Mount(parse) },
			}}}
			resp, err := http.DefaultClient.Do(visit.Upload(t, adapter.Serve(t, app)+"/upload"))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if name := <-files; !isGone(name) {
				_ = os.Remove(name)
				t.Error("the temporary file still exists")
			}
		})
	}
}

func isGone(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, os.ErrNotExist)
}
