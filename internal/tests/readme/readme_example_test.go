package readme_test

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scschi "github.com/scskit/scskit/adapters/chi"
	scsecho "github.com/scskit/scskit/adapters/echo"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	scsgin "github.com/scskit/scskit/adapters/gin"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// README.md contains this code. The lines of readmeFrameworks are in a table there.

func readmeSessions() *scs.SessionManager {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store) // a *scs.SessionManager, with safe defaults
	sessions.IdleTimeout = 30 * time.Minute
	sessions.Cookie.Secure = true // requires HTTPS
	return sessions
}

func readmeFrameworks(
	r *gin.Engine, e *echo.Echo, app *fiber.App, router chi.Router, mux http.Handler,
	sessions *scs.SessionManager,
) http.Handler {
	r.Use(scsgin.LoadAndSave(sessions))           // Gin
	e.Use(scsecho.LoadAndSave(sessions))          // Echo, v4 or v5
	app.Use(scsfiber.LoadAndSave(sessions))       // Fiber, v2 or v3
	router.Use(scschi.LoadAndSave(sessions))      // Chi
	handler := scshttp.LoadAndSave(sessions)(mux) // net/http
	return handler
}

func readmeHandler(ctx context.Context, sessions *scs.SessionManager) (string, error) {
	sessions.Put(ctx, "theme", "dark")
	theme := sessions.GetString(ctx, "theme")
	return theme, readmeSignIn(ctx, sessions)
}

func readmeSignIn(ctx context.Context, sessions *scs.SessionManager) error {
	// when the password is right
	if err := scskit.SignIn(ctx, sessions, "ada", nil); err != nil {
		return err
	}
	return scskit.SignOut(ctx, sessions)
}

func readmeSQLite(ctx context.Context) *scskit.Store {
	dsn := "file:sessions.db?_pragma=busy_timeout(100)" +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.New(db, sqlstore.SQLite(), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(ctx); err != nil { // it is fine if the table is there
		log.Fatal(err)
	}
	stop := store.StartSweep(time.Hour)
	defer stop()
	return store
}

func readmeOnError(r *gin.Engine, sessions *scs.SessionManager) {
	r.Use(scsgin.LoadAndSave(sessions, adapters.OnError(func(ctx context.Context, err error) error {
		log.Print(err) // nothing else will
		if errors.Is(err, context.DeadlineExceeded) {
			return adapters.ErrFailOpen
		}
		return nil // the framework's own error
	})))
}

var _ = []any{readmeOnError, readmeSessions, readmeFrameworks, readmeHandler, readmeSQLite}
