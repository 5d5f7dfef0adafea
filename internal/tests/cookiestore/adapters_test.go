package cookiestore_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	scschi "github.com/scskit/scskit/adapters/chi"
	scsecho "github.com/scskit/scskit/adapters/echo"
	scsechov5 "github.com/scskit/scskit/adapters/echov5"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	scsfiberv3 "github.com/scskit/scskit/adapters/fiberv3"
	scsgin "github.com/scskit/scskit/adapters/gin"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/keyring"

	"github.com/scskit/scskit"
	chiharness "github.com/scskit/scskit/adapters/chi/harness"
	echoharness "github.com/scskit/scskit/adapters/echo/harness"
	echov5harness "github.com/scskit/scskit/adapters/echov5/harness"
	fiberharness "github.com/scskit/scskit/adapters/fiber/harness"
	fiberv3harness "github.com/scskit/scskit/adapters/fiberv3/harness"
	ginharness "github.com/scskit/scskit/adapters/gin/harness"
	nethttpharness "github.com/scskit/scskit/adapters/nethttp/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/stores/cookiestore"
)

// TestAdapters grows a session from one cookie to two and shrinks it again, on each framework.
func TestAdapters(t *testing.T) {
	for _, adapter := range []conformance.Adapter{
		nethttpharness.New(scshttp.LoadAndSave),
		chiharness.New(scschi.LoadAndSave),
		ginharness.New(scsgin.LoadAndSave),
		echoharness.New(scsecho.LoadAndSave),
		echov5harness.New(scsechov5.LoadAndSave),
		fiberharness.New(scsfiber.LoadAndSave),
		fiberv3harness.New(scsfiberv3.LoadAndSave),
	} {
		t.Run(adapter.Name, func(t *testing.T) {
			keys, err := keyring.Parse(keyring.New())
			if err != nil {
				t.Fatal(err)
			}
			store, err := cookiestore.New(keys, nil)
			if err != nil {
				t.Fatal(err)
			}
			sm := scskit.New(store)
			url := adapter.Serve(t, conformance.App{Sessions: sm, Routes: []conformance.Route{
				{Method: http.MethodGet, Path: "/put", Handler: func(c conformance.Context) error {
					var n int
					_, _ = fmt.Sscan(c.Query("bytes"), &n)
					sm.Put(c.Context(), "big", strings.Repeat("x", n))
					return c.Send(http.StatusOK, "")
				}},
				{Method: http.MethodGet, Path: "/get", Handler: func(c conformance.Context) error {
					return c.Send(http.StatusOK, fmt.Sprint(len(sm.GetString(c.Context(), "big"))))
				}},
			}})
			jar, _ := cookiejar.New(nil)
			client := &http.Client{Jar: jar}
			get := func(path string) string {
				resp, err := client.Get(url + path)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				return string(body)
			}
			for _, n := range []int{10, 5000, 20} {
				get(fmt.Sprintf("/put?bytes=%d", n))
				if got := get("/get"); got != fmt.Sprint(n) {
					t.Errorf("put %d bytes, got %s", n, got)
				}
			}
		})
	}
}
