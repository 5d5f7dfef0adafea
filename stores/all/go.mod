module github.com/scskit/scskit/stores/all

go 1.25.0

require (
	github.com/scskit/scskit v0.0.0
	github.com/scskit/scskit/stores/dynamodb v0.0.0
	github.com/scskit/scskit/stores/mongodb v0.0.0
	github.com/scskit/scskit/stores/mysql v0.0.0
	github.com/scskit/scskit/stores/postgres v0.0.0
	github.com/scskit/scskit/stores/redis v0.0.0
)

require (
	filippo.io/edwards25519 v1.1.1 // indirect
	github.com/alexedwards/scs/v2 v2.9.0 // indirect
	github.com/aws/aws-sdk-go-v2 v1.41.1 // indirect
	github.com/aws/aws-sdk-go-v2/config v1.32.7 // indirect
	github.com/aws/aws-sdk-go-v2/credentials v1.19.7 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.18.17 // indirect
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.4.17 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.7.17 // indirect
	github.com/aws/aws-sdk-go-v2/internal/ini v1.8.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/dynamodb v1.53.6 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/endpoint-discovery v1.11.17 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.13.17 // indirect
	github.com/aws/aws-sdk-go-v2/service/signin v1.0.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.30.9 // indirect
	github.com/aws/aws-sdk-go-v2/service/ssooidc v1.35.13 // indirect
	github.com/aws/aws-sdk-go-v2/service/sts v1.41.6 // indirect
	github.com/aws/smithy-go v1.24.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/go-sql-driver/mysql v1.9.3 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.9.2 // indirect
	github.com/jackc/puddle/v2 v2.2.2 // indirect
	github.com/klauspost/compress v1.17.6 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/redis/go-redis/v9 v9.17.3 // indirect
	github.com/scskit/scskit/stores/dynamostore v0.0.0 // indirect
	github.com/scskit/scskit/stores/mongostore v0.0.0 // indirect
	github.com/scskit/scskit/stores/redisstore v0.0.0 // indirect
	github.com/tinylib/msgp v1.4.0 // indirect
	github.com/xdg-go/pbkdf2 v1.0.0 // indirect
	github.com/xdg-go/scram v1.2.0 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	github.com/youmark/pkcs8 v0.0.0-20240726163527-a2c0da244d78 // indirect
	go.mongodb.org/mongo-driver/v2 v2.5.0 // indirect
	golang.org/x/crypto v0.51.0 // indirect
	golang.org/x/sync v0.20.0 // indirect
	golang.org/x/text v0.37.0 // indirect
)

replace (
	github.com/scskit/scskit => ../..
	github.com/scskit/scskit/stores/dynamodb => ../dynamodb
	github.com/scskit/scskit/stores/dynamostore => ../dynamostore
	github.com/scskit/scskit/stores/mongodb => ../mongodb
	github.com/scskit/scskit/stores/mongostore => ../mongostore
	github.com/scskit/scskit/stores/mysql => ../mysql
	github.com/scskit/scskit/stores/postgres => ../postgres
	github.com/scskit/scskit/stores/redis => ../redis
	github.com/scskit/scskit/stores/redisstore => ../redisstore
)
