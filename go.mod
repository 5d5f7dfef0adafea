module github.com/scskit/scskit

go 1.25.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/tinylib/msgp v1.4.0
)

require github.com/philhofer/fwd v1.2.0 // indirect
