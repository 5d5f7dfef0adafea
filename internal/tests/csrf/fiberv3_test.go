package csrf_test

import (
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/csrf"

	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
)

var onFiberV3 = []protection{
	{name: "fiberv3/CrossOriginProtection", orders: both, app: fiberV3CrossOrigin, noOrigin: true},
	{name: "fiberv3/csrf", orders: both, app: fiberV3CSRF, cookie: "__Host-csrf", needsPage: true,
		renews: true},
	{name: "fiberv3/csrf in the session", orders: []order{inside}, app: fiberV3InSession,
		cookie: "__Host-csrf", needsPage: true, renews: true},
}

func fiberV3Routes(app *fiber.App, sessions *scs.SessionManager, renew fiber.Handler) {
	app.Get("/form", func(c fiber.Ctx) error {
		page(c.Context(), sessions)
		return c.SendString(csrf.TokenFromContext(c))
	})
	app.Get("/", func(c fiber.Ctx) error {
		return c.SendString(show(c.Context(), sessions))
	})
	app.Post("/note", func(c fiber.Ctx) error {
		sessions.Put(c.Context(), "note", c.Query("text"))
		return nil
	})
	app.Post("/sign-in", func(c fiber.Ctx) error {
		if err := signIn(c.Context(), sessions); err != nil {
			return err
		}
		return renew(c)
	})
	app.Post("/sign-out", func(c fiber.Ctx) error {
		if err := sessions.Destroy(c.Context()); err != nil {
			return err
		}
		return renew(c)
	})
}

func serveFiberV3(app *fiber.App) serve {
	return func(l net.Listener) error {
		return app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
	}
}

func fiberV3CrossOrigin(sessions *scs.SessionManager, o order) serve {
	app := fiber.New()
	protection := http.NewCrossOriginProtection()
	protect := func(c fiber.Ctx) error {
		r, err := adaptor.ConvertRequest(c, false)
		if err != nil {
			return err
		}
		if protection.Check(r) != nil {
			return fiber.ErrForbidden
		}
		return c.Next()
	}
	if o == inside {
		app.Use(scsfiber.LoadAndSave(sessions), protect)
	} else {
		app.Use(protect, scsfiber.LoadAndSave(sessions))
	}
	fiberV3Routes(app, sessions, func(fiber.Ctx) error { return nil })
	return serveFiberV3(app)
}

func fiberV3CSRF(sessions *scs.SessionManager, o order) serve {
	app := fiber.New()
	protect := csrf.New(csrf.Config{
		CookieName: "__Host-csrf", CookiePath: "/", CookieSecure: true, CookieHTTPOnly: true,
	})
	if o == inside {
		app.Use(scsfiber.LoadAndSave(sessions), protect)
	} else {
		app.Use(protect, scsfiber.LoadAndSave(sessions))
	}
	fiberV3Routes(app, sessions, func(c fiber.Ctx) error {
		// At every sign-in and sign-out.
		return csrf.HandlerFromContext(c).DeleteToken(c)
	})
	return serveFiberV3(app)
}

// csrfStorage keeps the token of Fiber's CSRF middleware in the session. It works without
// adapters.Lazy, and ignores IdleTimeout: the token ends with the session.
type csrfStorage struct {
	fiber.Storage // nil: the middleware calls only the methods below
	sessions      *scs.SessionManager
}

func (s csrfStorage) GetWithContext(ctx context.Context, token string) ([]byte, error) {
	stored := s.sessions.GetString(ctx, "csrf")
	if subtle.ConstantTimeCompare([]byte(stored), []byte(token)) == 0 {
		return nil, nil
	}
	return []byte{1}, nil
}

func (s csrfStorage) SetWithContext(
	ctx context.Context, token string, _ []byte, _ time.Duration,
) error {
	s.sessions.Put(ctx, "csrf", token)
	return nil
}

func (s csrfStorage) DeleteWithContext(ctx context.Context, _ string) error {
	s.sessions.Remove(ctx, "csrf")
	return nil
}

func fiberV3InSession(sessions *scs.SessionManager, _ order) serve {
	app := fiber.New()
	app.Use(scsfiber.LoadAndSave(sessions), csrf.New(csrf.Config{
		Storage:    csrfStorage{sessions: sessions},
		CookieName: "__Host-csrf", CookiePath: "/", CookieSecure: true, CookieHTTPOnly: true,
	}))
	fiberV3Routes(app, sessions, func(c fiber.Ctx) error {
		return csrf.HandlerFromContext(c).DeleteToken(c)
	})
	return serveFiberV3(app)
}
