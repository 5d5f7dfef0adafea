package conformance

import "github.com/alexedwards/scs/v2"

// App is the application that an adapter serves.
type App struct {
	Sessions *scs.SessionManager
}
