module github.com/scskit/scskit/adapters/echov5

go 1.25.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/labstack/echo/v5 v5.3.1
	github.com/scskit/scskit v0.0.0
)

require (
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.4.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)

replace github.com/scskit/scskit => ../..
