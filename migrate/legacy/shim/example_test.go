package shim_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy/shim"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleNew() {
	backend, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	manager := scskit.New(backend)
	store := shim.New(shim.Managers{"app": manager}, nil)

	mux := http.NewServeMux() // with handlers for gorilla/sessions
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		visits, _ := session.Values["visits"].(int)
		session.Values["visits"] = visits + 1
		if err := session.Save(r, w); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "visit %d", visits+1)
	})
	handler := scshttp.LoadAndSave(manager)(mux)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for range 2 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Body)
		r = httptest.NewRequest(http.MethodGet, "/", nil)
		for _, c := range w.Result().Cookies() {
			r.AddCookie(c)
		}
	}
	// Output:
	// visit 1
	// visit 2
}
