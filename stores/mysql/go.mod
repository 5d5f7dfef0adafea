module github.com/scskit/scskit/stores/mysql

go 1.25.0

require (
	github.com/go-sql-driver/mysql v1.9.3
	github.com/scskit/scskit v0.0.0
)

require (
	filippo.io/edwards25519 v1.1.1 // indirect
	github.com/alexedwards/scs/v2 v2.9.0 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.4.0 // indirect
)

replace github.com/scskit/scskit => ../..
