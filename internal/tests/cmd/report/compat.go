package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/scskit/scskit/conformance"
)

// The marks before and after the table in a document.
const (
	beginMark = "<!-- compatibility: written by make compat -->"
	endMark   = "<!-- compatibility: end -->"
)

// backend is the backend of a store.
type backend struct {
	store   string // the name in reports
	title   string
	server  string // the kind in the file of servers, or empty
	library string // the module of the client, or empty
}

var backends = []backend{
	{"memory", "memory", "", ""},
	{"sqlite", "SQLite", "sqlite", "modernc.org/sqlite"},
	{"postgresql", "PostgreSQL", "postgres", "github.com/jackc/pgx/v5"},
	{"postgresql-18", "PostgreSQL 18", "postgres18", "github.com/jackc/pgx/v5"},
	{"postgresql-tls", "PostgreSQL, TLS and SCRAM", "postgres-tls", "github.com/jackc/pgx/v5"},
	{"pgbouncer", "PostgreSQL through PgBouncer, exec", "pgbouncer", "github.com/jackc/pgx/v5"},
	{
		"pgbouncer-simple", "PostgreSQL through PgBouncer, simple_protocol",
		"pgbouncer", "github.com/jackc/pgx/v5",
	},
	{"mariadb", "MySQL, MariaDB", "mysql", "github.com/go-sql-driver/mysql"},
	{"mariadb-tls", "MariaDB, TLS and a password", "mysql-tls", "github.com/go-sql-driver/mysql"},
	{"redis", "Redis", "redis", "github.com/redis/go-redis/v9"},
	{"redis-tls", "Redis, TLS and an ACL user", "redis-tls", "github.com/redis/go-redis/v9"},
	{"redis-cluster", "Redis Cluster", "redis-cluster", "github.com/redis/go-redis/v9"},
	{"redis-sentinel", "Redis Sentinel", "redis-sentinel", "github.com/redis/go-redis/v9"},
	{"mongodb", "MongoDB", "mongodb", "go.mongodb.org/mongo-driver/v2"},
	{"dynamodb", "DynamoDB", "dynamodb", "github.com/aws/aws-sdk-go-v2/service/dynamodb"},
	{"cookie", "cookie", "", ""},
}

// aliases maps the names of stores in their own tests to those in the matrix.
var aliases = map[string]string{
	"memstore":    "memory",
	"postgres":    "postgresql",
	"mysql":       "mariadb",
	"cookiestore": "cookie",
}

// unify replaces aliases in the report.
func unify(r conformance.Report) {
	for i := range r.Results {
		res := &r.Results[i]
		res.Store = cmp.Or(aliases[res.Store], res.Store)
	}
}

// frameworks are the adapters, by their names in reports, and the modules of their frameworks.
var frameworks = []struct{ adapter, title, module string }{
	{"nethttp", "net/http", ""},
	{"chi", "Chi", "github.com/go-chi/chi/v5"},
	{"gin", "Gin", "github.com/gin-gonic/gin"},
	{"echo", "Echo v4", "github.com/labstack/echo/v4"},
	{"echov5", "Echo v5", "github.com/labstack/echo/v5"},
	{"fiber", "Fiber v2", "github.com/gofiber/fiber/v2"},
	{"fiberv3", "Fiber v3", "github.com/gofiber/fiber/v3"},
}

const scsModule = "github.com/alexedwards/scs/v2"

// tally counts the results of one backend or framework.
type tally struct {
	pairs    map[string]bool // by the other half of the pair: whether all its checks passed
	outcomes counts
}

// compatibility returns the tables of the tested versions.
func compatibility(ctx context.Context, r conformance.Report, file, when string) (string, error) {
	servers, err := readServers(ctx, file)
	if err != nil {
		return "", err
	}
	versions, err := moduleVersions(ctx)
	if err != nil {
		return "", err
	}
	byStore, byAdapter := tallies(r)
	library := func(module string) string {
		if module == "" {
			return ""
		}
		name := strings.TrimPrefix(module, "github.com/")
		return name + " " + versions[module]
	}

	var b strings.Builder
	fmt.Fprintf(&b, "Versions and numbers of checks in the test run of %s,\nwith scs %s:\n\n",
		when, versions[scsModule])
	b.WriteString(
		"| backend | server | client library | adapters | passed | exempt | failed |\n" +
			"| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, k := range backends {
		t := byStore[k.store]
		if t == nil {
			continue
		}
		server := servers[k.server]
		switch {
		case k.server == "":
			server = "none needed"
		case server == "":
			server = "version unknown"
		}
		row(&b, k.title, server, library(k.library), t)
	}
	b.WriteString("\n| framework | version | backends | passed | exempt | failed |\n" +
		"| --- | --- | --- | --- | --- | --- |\n")
	for _, f := range frameworks {
		t := byAdapter[f.adapter]
		if t == nil {
			continue
		}
		version := versions[f.module]
		if f.module == "" {
			version = "of Go"
		}
		row(&b, f.title, version, t)
	}
	return b.String(), nil
}

// row writes one row of a table. The cells are strings, and at last a *tally.
func row(b *strings.Builder, cells ...any) {
	for _, c := range cells {
		switch c := c.(type) {
		case string:
			fmt.Fprintf(b, "| %s ", escapeCell(c))
		case *tally:
			good := 0
			for _, ok := range c.pairs {
				if ok {
					good++
				}
			}
			pairs := fmt.Sprintf("%d of %d", good, len(c.pairs))
			if len(c.pairs) == 0 {
				pairs = "not run in pairs"
			}
			fmt.Fprintf(b, "| %s | %d | %d | %d |\n", pairs, c.outcomes[conformance.Passed],
				c.outcomes[conformance.Exempt], c.outcomes[conformance.Failed])
		}
	}
}

// escapeCell escapes the version that a server reports for use in a table.
func escapeCell(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "'").Replace(s)
}

// tallies counts the results by backend and by framework. The results of an adapter alone count for
// its framework. It counts the results of a page, which has each check of a subject once.
func tallies(r conformance.Report) (byStore, byAdapter map[string]*tally) {
	byStore, byAdapter = make(map[string]*tally), make(map[string]*tally)
	add := func(to map[string]*tally, name, other string, c counts) {
		if name == "" || name == reference {
			return
		}
		t := to[name]
		if t == nil {
			t = &tally{make(map[string]bool), make(counts)}
			to[name] = t
		}
		for o, n := range c {
			t.outcomes[o] += n
		}
		if other != "" && other != reference && !isOther(other) {
			t.pairs[other] = c[conformance.Failed] == 0 && c[conformance.Passed] > 0
		}
	}
	for _, s := range newPage(r, "").Subjects {
		if isOther(s.Store) && s.Store != reference {
			continue
		}
		c := make(counts)
		for o, letter := range letters {
			c[o] = strings.Count(s.Outcomes, string(letter))
		}
		add(byStore, s.Store, s.Adapter, c)
		add(byAdapter, s.Adapter, s.Store, c)
	}
	return byStore, byAdapter
}

// readServers returns the versions of the servers by kind, and that of the SQLite in this program.
func readServers(ctx context.Context, file string) (map[string]string, error) {
	servers := make(map[string]string)
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var list []struct{ Kind, Version string }
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, s := range list {
			servers[s.Kind] = s.Version
		}
	}
	version, err := sqliteVersion(ctx)
	servers["sqlite"] = "SQLite " + version
	return servers, err
}

func sqliteVersion(ctx context.Context) (version string, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version)
	return version, err
}

// moduleVersions returns the versions of the libraries in a build of this module. It runs the go
// command, since the build information of this program lists only the modules that it imports.
func moduleVersions(ctx context.Context) (map[string]string, error) {
	paths := []string{scsModule}
	for _, k := range backends {
		if k.library != "" && !slices.Contains(paths, k.library) {
			paths = append(paths, k.library)
		}
	}
	for _, f := range frameworks {
		if f.module != "" {
			paths = append(paths, f.module)
		}
	}
	out, err := exec.CommandContext(ctx, "go", append([]string{"list", "-m"}, paths...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("go list -m: %w", err)
	}
	versions := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			versions[fields[0]] = fields[1]
		}
	}
	return versions, nil
}

// replaceMarked replaces the text between the marks in a document. Each mark must appear once, and
// in this order.
func replaceMarked(doc, text string) (string, error) {
	if strings.Count(doc, beginMark) != 1 || strings.Count(doc, endMark) != 1 {
		return "", fmt.Errorf("want the lines %q and %q exactly once", beginMark, endMark)
	}
	before, rest, _ := strings.Cut(doc, beginMark)
	_, after, ok := strings.Cut(rest, endMark)
	if !ok {
		return "", fmt.Errorf("the line %q is before %q", endMark, beginMark)
	}
	return before + beginMark + "\n\n" + strings.TrimSpace(text) + "\n\n" + endMark + after, nil
}
