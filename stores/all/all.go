// Package all has stores.Open take the URLs of every backend. For SQLite the program imports a
// driver of database/sql as well, such as _ "modernc.org/sqlite": two that register one name cannot
// be in one program, and many programs have theirs. It is imported for that alone:
//
//	import _ "github.com/scskit/scskit/stores/all"
package all

import (
	_ "github.com/scskit/scskit/stores/dynamodb"
	_ "github.com/scskit/scskit/stores/mongodb"
	_ "github.com/scskit/scskit/stores/mysql"
	_ "github.com/scskit/scskit/stores/postgres"
	_ "github.com/scskit/scskit/stores/redis"
	_ "github.com/scskit/scskit/stores/sqlite"
)
