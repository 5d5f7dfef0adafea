package main

import (
	"encoding/gob"
	"net/http"

	"github.com/alexedwards/scs/v2"
)

// mountStock serves the routes with scs as it comes: its own middleware, codec and memory
// store. It is there to be compared with, has a cookie of its own, and the same timeouts.
func mountStock(gates *gates) http.Handler {
	gob.Register(map[string]string{}) // scs's codec asks for it; scskit's does not
	sm := scs.New()
	sm.Cookie.Name = "stock"
	sm.IdleTimeout = idleTimeout
	return sm.LoadAndSave(netHTTPRoutes(&app{sessions: sm, gates: gates}, "/stock/", "stock scs"))
}
