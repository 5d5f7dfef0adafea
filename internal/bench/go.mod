module github.com/scskit/scskit/internal/bench

go 1.25.0

replace (
	github.com/scskit/scskit => ../..
	github.com/scskit/scskit/stores/redisstore => ../../stores/redisstore
)

require (
	github.com/alexedwards/scs/goredisstore v0.0.0-20250212122300-421ef1d8611c
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/redis/go-redis/v9 v9.17.3
	github.com/scskit/scskit v0.0.0
	github.com/scskit/scskit/stores/redisstore v0.0.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.4.0 // indirect
)
