package moving

import (
	"net/http"
	"testing"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/migrate/legacy"
	"github.com/scskit/scskit/migrate/legacy/shim"
)

func ginOld(store sessions.Store, routes func(*gin.Engine)) http.Handler {
	r := gin.New()
	r.Use(sessions.Sessions("app", store))
	routes(r)
	return r
}

func ginUnchanged(
	store sessions.Store, backend *scskit.Store, o adapters.AdoptOptions,
	routes func(*gin.Engine),
) http.Handler {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Gorilla("app", store, legacy.GorillaOptions{})
	over := shim.New(shim.Managers{"app": manager}, nil)
	r := gin.New()
	r.Use(scsgin.LoadAndSave(manager, adapters.Adopt(old, o)))
	r.Use(sessions.Sessions("app", shim.Gin[sessions.Options](over)))
	routes(r)
	return r
}

// TestDefaultMany uses the middleware of gin-contrib/sessions for several names.
func TestDefaultMany(t *testing.T) {
	t.Parallel()
	account, cart := scskit.New(newBackend(t)), scskit.New(newBackend(t))
	account.Cookie.Name, cart.Cookie.Name = "account_id", "cart_id"
	store := shim.Gin[sessions.Options](shim.New(
		shim.Managers{"account": account, "cart": cart}, nil))
	store.Options(sessions.Options{MaxAge: -1}) // does nothing
	r := gin.New()
	r.Use(scsgin.LoadAndSave(account), scsgin.LoadAndSave(cart))
	r.Use(sessions.SessionsMany([]string{"account", "cart"}, store))
	r.POST("/put", func(c *gin.Context) {
		session := sessions.DefaultMany(c, c.PostForm("k"))
		session.Set("v", c.PostForm("v"))
		if err := session.Save(); err != nil {
			t.Error(err)
		}
	})
	r.POST("/get", func(c *gin.Context) {
		a, b := sessions.DefaultMany(c, "account"), sessions.DefaultMany(c, "cart")
		c.String(http.StatusOK, "%v %v %v", a.Get("v"), b.Get("v"), a.ID() != b.ID() && a.ID() != "")
	})
	v := visit(t, r)
	v.do("/put", "account", "ada")
	v.do("/put", "cart", "tea")
	if got := v.do("/get", "", ""); got != "ada tea true" {
		t.Errorf("the sessions are %q", got)
	}
}
