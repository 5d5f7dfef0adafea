module github.com/scskit/scskit/internal/tests

go 1.25.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/aws/aws-sdk-go-v2 v1.41.1
	github.com/aws/aws-sdk-go-v2/config v1.32.7
	github.com/aws/aws-sdk-go-v2/credentials v1.19.7
	github.com/aws/aws-sdk-go-v2/service/dynamodb v1.53.6
	github.com/aws/smithy-go v1.24.0
	github.com/gin-gonic/gin v1.10.1
	github.com/go-chi/chi/v5 v5.2.4
	github.com/go-sql-driver/mysql v1.9.3
	github.com/gofiber/fiber/v2 v2.52.15
	github.com/gofiber/fiber/v3 v3.1.0
	github.com/gorilla/csrf v1.7.3
	github.com/jackc/pgx/v5 v5.9.2
	github.com/labstack/echo/v4 v4.15.4
	github.com/labstack/echo/v5 v5.3.1
	github.com/redis/go-redis/v9 v9.17.3
	github.com/scskit/scskit v0.0.0
	github.com/scskit/scskit/adapters/chi/harness v0.0.0
	github.com/scskit/scskit/adapters/echo v0.0.0
	github.com/scskit/scskit/adapters/echov5 v0.0.0
	github.com/scskit/scskit/adapters/fiber v0.0.0
	github.com/scskit/scskit/adapters/fiberv3 v0.0.0
	github.com/scskit/scskit/adapters/gin v0.0.0
	github.com/scskit/scskit/stores/all v0.0.0
	github.com/scskit/scskit/stores/dynamostore v0.0.0
	github.com/scskit/scskit/stores/mongostore v0.0.0
	github.com/scskit/scskit/stores/redisstore v0.0.0
	github.com/valyala/fasthttp v1.69.0
	go.mongodb.org/mongo-driver/v2 v2.5.0
	golang.org/x/mod v0.37.0
	modernc.org/sqlite v1.39.0
)

require (
	filippo.io/edwards25519 v1.1.1 // indirect
	github.com/andybalholm/brotli v1.2.0 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.18.17 // indirect
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.4.17 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.7.17 // indirect
	github.com/aws/aws-sdk-go-v2/internal/ini v1.8.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/endpoint-discovery v1.11.17 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.13.17 // indirect
	github.com/aws/aws-sdk-go-v2/service/signin v1.0.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.30.9 // indirect
	github.com/aws/aws-sdk-go-v2/service/ssooidc v1.35.13 // indirect
	github.com/aws/aws-sdk-go-v2/service/sts v1.41.6 // indirect
	github.com/bytedance/sonic v1.11.6 // indirect
	github.com/bytedance/sonic/loader v0.1.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/cloudwego/base64x v0.1.4 // indirect
	github.com/cloudwego/iasm v0.2.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/gabriel-vasile/mimetype v1.4.3 // indirect
	github.com/gin-contrib/sse v0.1.0 // indirect
	github.com/go-playground/locales v0.14.1 // indirect
	github.com/go-playground/universal-translator v0.18.1 // indirect
	github.com/go-playground/validator/v10 v10.20.0 // indirect
	github.com/goccy/go-json v0.10.2 // indirect
	github.com/gofiber/schema v1.7.0 // indirect
	github.com/gofiber/utils/v2 v2.0.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.2 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/klauspost/compress v1.18.4 // indirect
	github.com/klauspost/cpuid/v2 v2.2.7 // indirect
	github.com/kr/text v0.2.0 // indirect
	github.com/labstack/gommon v0.5.0 // indirect
	github.com/leodido/go-urn v1.4.0 // indirect
	github.com/mattn/go-colorable v0.1.15 // indirect
	github.com/mattn/go-isatty v0.0.22 // indirect
	github.com/mattn/go-runewidth v0.0.16 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
	github.com/ncruces/go-strftime v0.1.9 // indirect
	github.com/pelletier/go-toml/v2 v2.2.2 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/rivo/uniseg v0.2.0 // indirect
	github.com/rogpeppe/go-internal v1.9.0 // indirect
	github.com/scskit/scskit/stores/dynamodb v0.0.0 // indirect
	github.com/scskit/scskit/stores/mongodb v0.0.0 // indirect
	github.com/scskit/scskit/stores/mysql v0.0.0 // indirect
	github.com/scskit/scskit/stores/postgres v0.0.0 // indirect
	github.com/scskit/scskit/stores/redis v0.0.0 // indirect
	github.com/tinylib/msgp v1.6.3 // indirect
	github.com/twitchyliquid64/golang-asm v0.15.1 // indirect
	github.com/ugorji/go/codec v1.2.12 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fasttemplate v1.2.2 // indirect
	github.com/xdg-go/pbkdf2 v1.0.0 // indirect
	github.com/xdg-go/scram v1.2.0 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	github.com/youmark/pkcs8 v0.0.0-20240726163527-a2c0da244d78 // indirect
	golang.org/x/arch v0.8.0 // indirect
	golang.org/x/crypto v0.54.0 // indirect
	golang.org/x/exp v0.0.0-20250620022241-b7579e27df2b // indirect
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.40.0 // indirect
	golang.org/x/time v0.15.0 // indirect
	google.golang.org/protobuf v1.34.1 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
	modernc.org/libc v1.66.3 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.11.0 // indirect
)

replace (
	github.com/scskit/scskit => ../..
	github.com/scskit/scskit/adapters/chi/harness => ../../adapters/chi/harness
	github.com/scskit/scskit/adapters/echo => ../../adapters/echo
	github.com/scskit/scskit/adapters/echov5 => ../../adapters/echov5
	github.com/scskit/scskit/adapters/fiber => ../../adapters/fiber
	github.com/scskit/scskit/adapters/fiberv3 => ../../adapters/fiberv3
	github.com/scskit/scskit/adapters/gin => ../../adapters/gin
	github.com/scskit/scskit/stores/all => ../../stores/all
	github.com/scskit/scskit/stores/dynamodb => ../../stores/dynamodb
	github.com/scskit/scskit/stores/dynamostore => ../../stores/dynamostore
	github.com/scskit/scskit/stores/mongodb => ../../stores/mongodb
	github.com/scskit/scskit/stores/mongostore => ../../stores/mongostore
	github.com/scskit/scskit/stores/mysql => ../../stores/mysql
	github.com/scskit/scskit/stores/postgres => ../../stores/postgres
	github.com/scskit/scskit/stores/redis => ../../stores/redis
	github.com/scskit/scskit/stores/redisstore => ../../stores/redisstore
)
