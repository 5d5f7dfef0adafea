package shim

// GinStore is a store for the middleware of gin-contrib/sessions. See Gin.
type GinStore[O any] struct{ *Store }

// Gin returns the store for the middleware of gin-contrib/sessions. O is the type Options of that
// package; with the type parameter, this package does not import it, nor Gin:
//
//	r.Use(scsgin.LoadAndSave(manager))
//	r.Use(sessions.Sessions("app", shim.Gin[sessions.Options](store)))
//
// sessions.Default and sessions.DefaultMany work as before. Put the middleware inside LoadAndSave.
func Gin[O any](s *Store) GinStore[O] { return GinStore[O]{s} }

// Options does nothing. In gin-contrib/sessions it sets the attributes of the cookies: here those
// are settings of the manager's Cookie and its Lifetime. The method Options of a session has an
// effect, as package shim says.
func (GinStore[O]) Options(O) {}
