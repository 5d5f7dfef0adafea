package main

import (
	"encoding/gob"
	"net/http"

	"github.com/alexedwards/scs/v2"
)

// mountStock serves the routes with stock scs, for comparison: its own middleware, codec and memory
// store. It has its own cookie and the same timeouts.
func mountStock(gates *gates) http.Handler {
	gob.Register(map[string]string{}) // scs's codec needs it; scskit's does not
	sm := scs.New()
	sm.Cookie.Name = "stock"
	sm.IdleTimeout = idleTimeout
	return sm.LoadAndSave(netHTTPRoutes(&app{sessions: sm, gates: gates}, "/stock/", "stock scs"))
}
