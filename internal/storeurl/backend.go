// Package storeurl parses store URLs and holds the registry through which package stores finds the
// packages that open them. There is one such package for each backend, so that a program links only
// the backends it imports.
package storeurl

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scskit/scskit"
)

// ConnectTimeout limits how long connecting to a server may take, unless the URL sets a limit.
const ConnectTimeout = 5 * time.Second

// Advice that several backends give.
const (
	CheckPassword = "check the user and the password, and percent-encode special characters in " +
		"them, such as %40 for @"
	WantsTLS = "the server requires TLS: write "
	HasNoTLS = "the server does not support TLS: write "
)

// Backend is a kind of store.
type Backend struct {
	Schemes []string
	Syntax  string
	Name    string

	// Local is set if URLs have a path in place of a host.
	Local bool

	// Params are the names of the parameters, without lazy.
	Params []string

	// Fold is set if parameter names are case-insensitive.
	Fold bool

	// Socket is the syntax of a URL with a socket in place of a host, or empty if there is none.
	Socket string

	// Authority is the parameter that names a file of certificates to trust, or empty.
	Authority string

	// Advise returns what to change in the URL after an error of the server, or "". It may be nil.
	Advise func(*URL, error) string

	Open Opener
}

// Opener opens the store at a URL. release frees what it allocated, such as a client.
type Opener func(ctx context.Context, u *URL, shared scskit.Options) (
	store *scskit.Store, release func() error, err error)

const (
	under = "github.com/scskit/scskit/stores/"
	all   = under + "all"
)

// packages lists each scheme and the package that opens it, in the order that messages use.
var packages = []struct{ scheme, name string }{
	{"memory", ""},
	{"sqlite", "sqlite"},
	{"redis", "redis"}, {"rediss", "redis"},
	{"redis+cluster", "redis"}, {"rediss+cluster", "redis"},
	{"redis+sentinel", "redis"}, {"rediss+sentinel", "redis"},
	{"postgres", "postgres"}, {"postgresql", "postgres"},
	{"mysql", "mysql"},
	{"mongodb", "mongodb"}, {"mongodb+srv", "mongodb"},
	{"dynamodb", "dynamodb"},
}

func schemes() (all []string) {
	for _, p := range packages {
		all = append(all, p.scheme)
	}
	return all
}

// packageOf returns the import path of the package that opens a scheme, or "".
func packageOf(scheme string) string {
	for _, p := range packages {
		if p.scheme == scheme {
			return under + p.name
		}
	}
	return ""
}

// backends are those linked into the program. Only init functions change the slice.
var backends []*Backend

// Register adds a backend. It is for init functions, which run one at a time.
func Register(b Backend) {
	backends = append(backends, &b)
	rank := func(b *Backend) int { return slices.Index(schemes(), b.Schemes[0]) }
	slices.SortStableFunc(backends, func(a, b *Backend) int { return rank(a) - rank(b) })
}

// Registered returns the backends linked into the program.
func Registered() []*Backend { return slices.Clone(backends) }

func registered(scheme string) *Backend {
	for _, b := range backends {
		if slices.Contains(b.Schemes, scheme) {
			return b
		}
	}
	return nil
}

// Place returns the backend and its address for people to read, without user, password and
// parameters.
func (l *URL) Place() string {
	switch {
	case l.Backend.Local && l.Path == "":
		return l.Backend.Name
	case l.Backend.Local:
		return l.Backend.Name + ", " + filepath.Base(l.Path)
	}
	where := strings.Join(l.Hosts, ",")
	if where == "" {
		// At most one of the two is set.
		where = l.Params.String("host") + l.Params.String("socket")
	}
	if l.Path != "" {
		where += "/" + l.Path
	}
	return l.Backend.Name + ", " + where
}
