package moving

import (
	"fmt"
	"net/http"

	ginsessions "github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
	echosession "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
)

// The applications in this file are written for other packages. They run with the stores of those
// packages and, unchanged, over scskit. A request of /slow waits for pause when it has its session.

func gorillaSite(store sessions.Store, pause func()) http.Handler {
	mux := http.NewServeMux()
	saved := func(w http.ResponseWriter, r *http.Request, s *sessions.Session, text string) {
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, text)
	}
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		session.Values["user"] = r.FormValue("v")
		session.Options = &sessions.Options{Path: "/", MaxAge: 86400 * 7, HttpOnly: true}
		saved(w, r, session, "")
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		session.Options.MaxAge = -1
		saved(w, r, session, "")
	})
	mux.HandleFunc("POST /put", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		session.Values[r.FormValue("k")] = r.FormValue("v")
		saved(w, r, session, fmt.Sprint(session.IsNew))
	})
	mux.HandleFunc("POST /slow", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		pause()
		session.Values[r.FormValue("k")] = r.FormValue("v")
		saved(w, r, session, "")
	})
	mux.HandleFunc("POST /unsaved", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		session.Values[r.FormValue("k")] = r.FormValue("v")
	})
	mux.HandleFunc("POST /clear", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		session.Values = make(map[any]any)
		saved(w, r, session, "")
	})
	mux.HandleFunc("POST /flash", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		session.AddFlash(r.FormValue("v"))
		session.AddFlash(len(r.FormValue("v")), "sizes")
		if err := sessions.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /flashes", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		saved(w, r, session, fmt.Sprint(session.Flashes(), session.Flashes("sizes")))
	})
	mux.HandleFunc("POST /get", func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "app")
		fmt.Fprint(w, session.Values[r.FormValue("k")], len(session.Values), session.IsNew, err)
	})
	return mux
}

func ginSite(r *gin.Engine, pause func()) {
	saved := func(c *gin.Context, s ginsessions.Session, text string) {
		if err := s.Save(); err != nil {
			c.String(http.StatusInternalServerError, "%v", err)
			return
		}
		c.String(http.StatusOK, "%s", text)
	}
	r.POST("/sign-in", func(c *gin.Context) {
		session := ginsessions.Default(c)
		session.Set("user", c.PostForm("v"))
		session.Options(ginsessions.Options{Path: "/", MaxAge: 86400 * 7, HttpOnly: true})
		saved(c, session, "")
	})
	r.POST("/sign-out", func(c *gin.Context) {
		session := ginsessions.Default(c)
		session.Clear()
		session.Options(ginsessions.Options{Path: "/", MaxAge: -1})
		saved(c, session, "")
	})
	r.POST("/put", func(c *gin.Context) {
		session := ginsessions.Default(c)
		session.Set(c.PostForm("k"), c.PostForm("v"))
		saved(c, session, "")
	})
	r.POST("/slow", func(c *gin.Context) {
		session := ginsessions.Default(c)
		session.Get("user")
		pause()
		session.Set(c.PostForm("k"), c.PostForm("v"))
		saved(c, session, "")
	})
	r.POST("/unsaved", func(c *gin.Context) {
		ginsessions.Default(c).Set(c.PostForm("k"), c.PostForm("v"))
	})
	r.POST("/clear", func(c *gin.Context) {
		session := ginsessions.Default(c)
		session.Clear()
		saved(c, session, "")
	})
	r.POST("/flash", func(c *gin.Context) {
		session := ginsessions.Default(c)
		session.AddFlash(c.PostForm("v"))
		session.AddFlash(len(c.PostForm("v")), "sizes")
		saved(c, session, "")
	})
	r.POST("/flashes", func(c *gin.Context) {
		session := ginsessions.Default(c)
		saved(c, session, fmt.Sprint(session.Flashes(), session.Flashes("sizes")))
	})
	r.POST("/get", func(c *gin.Context) {
		c.String(http.StatusOK, "%v", ginsessions.Default(c).Get(c.PostForm("k")))
	})
	r.POST("/delete", func(c *gin.Context) {
		session := ginsessions.Default(c)
		session.Delete(c.PostForm("k"))
		saved(c, session, fmt.Sprint(session.Get(c.PostForm("k")) == nil))
	})
}

func echoSite(e *echo.Echo, pause func()) {
	saved := func(c echo.Context, s *sessions.Session, text string) error {
		if err := s.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		return c.String(http.StatusOK, text)
	}
	e.POST("/sign-in", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		session.Values["user"] = c.FormValue("v")
		session.Options = &sessions.Options{Path: "/", MaxAge: 86400 * 7, HttpOnly: true}
		return saved(c, session, "")
	})
	e.POST("/sign-out", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		session.Options.MaxAge = -1
		return saved(c, session, "")
	})
	e.POST("/put", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		session.Values[c.FormValue("k")] = c.FormValue("v")
		return saved(c, session, fmt.Sprint(session.IsNew))
	})
	e.POST("/slow", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		pause()
		session.Values[c.FormValue("k")] = c.FormValue("v")
		return saved(c, session, "")
	})
	e.POST("/unsaved", func(c echo.Context) error {
		session, err := echosession.Get("app", c)
		session.Values[c.FormValue("k")] = c.FormValue("v")
		return err
	})
	e.POST("/clear", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		clear(session.Values)
		return saved(c, session, "")
	})
	e.POST("/flash", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		session.AddFlash(c.FormValue("v"))
		session.AddFlash(len(c.FormValue("v")), "sizes")
		return saved(c, session, "")
	})
	e.POST("/flashes", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		return saved(c, session, fmt.Sprint(session.Flashes(), session.Flashes("sizes")))
	})
	e.POST("/get", func(c echo.Context) error {
		session, err := echosession.Get("app", c)
		return c.String(http.StatusOK, fmt.Sprint(session.Values[c.FormValue("k")], session.IsNew, err))
	})
}
