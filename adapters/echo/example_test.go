package scsecho_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/labstack/echo/v4"

	"github.com/scskit/scskit"
	scsecho "github.com/scskit/scskit/adapters/echo"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleLoadAndSave() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	e := echo.New()
	e.Use(scsecho.LoadAndSave(sessions))
	e.GET("/sign-in", func(c echo.Context) error {
		if err := scskit.SignIn(c.Request().Context(), sessions, "ada", nil); err != nil {
			return err
		}
		return c.String(http.StatusOK, "welcome")
	})
	e.GET("/", func(c echo.Context) error {
		return c.String(http.StatusOK, "hello, "+sessions.GetString(c.Request().Context(), "user"))
	})

	server := httptest.NewServer(e)
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
