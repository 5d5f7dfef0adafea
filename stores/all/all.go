// Package all registers every backend with package stores, so that stores.Open accepts the URLs of
// all of them. Import it for that effect:
//
//	import _ "github.com/scskit/scskit/stores/all"
//
// To open sqlite: URLs, also import a SQLite driver, such as _ "modernc.org/sqlite". This package
// links none, because two drivers that register the same name cannot be in one program.
package all

import (
	_ "github.com/scskit/scskit/stores/dynamodb"
	_ "github.com/scskit/scskit/stores/mongodb"
	_ "github.com/scskit/scskit/stores/mysql"
	_ "github.com/scskit/scskit/stores/postgres"
	_ "github.com/scskit/scskit/stores/redis"
	_ "github.com/scskit/scskit/stores/sqlite"
)
