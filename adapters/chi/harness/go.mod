module github.com/scskit/scskit/adapters/chi/harness

go 1.25.0

require (
	github.com/go-chi/chi/v5 v5.2.4
	github.com/scskit/scskit v0.0.0
)

require (
	github.com/alexedwards/scs/v2 v2.9.0 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.4.0 // indirect
)

replace github.com/scskit/scskit => ../../..
