package harness_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/go-chi/chi/v5"

	"github.com/scskit/scskit"
	scschi "github.com/scskit/scskit/adapters/chi"
	"github.com/scskit/scskit/stores/memstore"
)

func Example() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	r := chi.NewRouter()
	r.Use(scschi.LoadAndSave(sessions))
	r.Get("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignIn(r.Context(), sessions, "ada", nil); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "welcome")
	})
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello, ", sessions.GetString(r.Context(), "user"))
	})

	server := httptest.NewServer(r)
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	for _, path := range []string{"/sign-in", "/"} {
		res, err := browser.Get(server.URL + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		fmt.Println(string(body))
	}
	// Output:
	// welcome
	// hello, ada
}
