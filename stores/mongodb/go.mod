module github.com/scskit/scskit/stores/mongodb

go 1.25.0

require (
	github.com/scskit/scskit v0.0.0
	github.com/scskit/scskit/stores/mongostore v0.0.0
	go.mongodb.org/mongo-driver/v2 v2.5.0
)

require (
	github.com/alexedwards/scs/v2 v2.9.0 // indirect
	github.com/klauspost/compress v1.17.6 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.4.0 // indirect
	github.com/xdg-go/pbkdf2 v1.0.0 // indirect
	github.com/xdg-go/scram v1.2.0 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	github.com/youmark/pkcs8 v0.0.0-20240726163527-a2c0da244d78 // indirect
	golang.org/x/crypto v0.51.0 // indirect
	golang.org/x/sync v0.20.0 // indirect
	golang.org/x/text v0.37.0 // indirect
)

replace (
	github.com/scskit/scskit => ../..
	github.com/scskit/scskit/stores/mongostore => ../mongostore
)
