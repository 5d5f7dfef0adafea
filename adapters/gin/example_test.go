package scsgin_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit"
	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleLoadAndSave() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(scsgin.LoadAndSave(sessions))
	r.GET("/sign-in", func(c *gin.Context) {
		if err := scskit.SignIn(c.Request.Context(), sessions, "ada", nil); err != nil {
			_ = c.AbortWithError(http.StatusServiceUnavailable, err)
			return
		}
		c.String(http.StatusOK, "welcome")
	})
	r.GET("/", func(c *gin.Context) {
		c.String(http.StatusOK, "hello, %s", sessions.GetString(c.Request.Context(), "user"))
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
