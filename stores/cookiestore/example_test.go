package cookiestore_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/cookiestore"
)

// The session is in the cookie, sealed with the first key. Keep the keys in the configuration of
// your program: sessions end when their key is gone.
func ExampleNew() {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		log.Fatal(err)
	}
	store, err := cookiestore.New([][]byte{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	visit := func(w http.ResponseWriter, r *http.Request) {
		visits := sessions.GetInt(r.Context(), "visits") + 1
		sessions.Put(r.Context(), "visits", visits)
		fmt.Fprintf(w, "visit %d", visits)
	}
	server := scshttp.LoadAndSave(sessions)(http.HandlerFunc(visit))

	first := httptest.NewRecorder()
	server.ServeHTTP(first, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(first.Body)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, cookie := range first.Result().Cookies() {
		r.AddCookie(cookie)
	}
	second := httptest.NewRecorder()
	server.ServeHTTP(second, r)
	fmt.Println(second.Body)
	// Output:
	// visit 1
	// visit 2
}
