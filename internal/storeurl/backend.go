// Package storeurl is what package stores shares with the packages that open a kind of store by its
// URL, one for each backend, so that a program links what it imports and nothing else.
package storeurl

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scskit/scskit"
)

// ConnectTimeout is how long connecting to a server may take, unless the URL says otherwise.
const ConnectTimeout = 5 * time.Second

// What several backends advise.
const (
	CheckPassword = "check the user and the password; what is special in them must be written " +
		"with %, as %40 for an @"
	WantsTLS = "the server wants TLS: write "
	HasNoTLS = "the server has no TLS: write "
)

// Backend is a kind of store, and the schemes that lead to it.
type Backend struct {
	Schemes []string
	Syntax  string
	Name    string
	// Local backends have a path in place of an address.
	Local  bool
	Params []string
	// Fold says that the case of parameters does not count.
	Fold bool
	// Socket is how a URL with a socket in place of a host is written; empty if there is none.
	Socket string
	// Authority is the parameter that names a file of certificates to trust.
	Authority string
	// Advise says what to write instead if the server refuses, if the error tells; it may be nil.
	Advise func(*URL, error) string
	Open   func(context.Context, *URL,
		scskit.Options) (store *scskit.Store, release func() error, err error)
}

const (
	under = "github.com/scskit/scskit/stores/"
	all   = under + "all"
)

// packages open the schemes, in the order in which people are told of them.
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

// packageOf returns the path of the package that opens a scheme, or "" if there is none.
func packageOf(scheme string) string {
	for _, p := range packages {
		if p.scheme == scheme {
			return under + p.name
		}
	}
	return ""
}

// backends are those that the program links. Only init functions change it.
var backends []*Backend

// Register makes a backend known. It is called by the init functions of packages, which run one
// after the other.
func Register(b Backend) {
	backends = append(backends, &b)
	rank := func(b *Backend) int { return slices.Index(schemes(), b.Schemes[0]) }
	slices.SortStableFunc(backends, func(a, b *Backend) int { return rank(a) - rank(b) })
}

// Registered returns the backends that the program links.
func Registered() []*Backend { return slices.Clone(backends) }

func registered(scheme string) *Backend {
	for _, b := range backends {
		if slices.Contains(b.Schemes, scheme) {
			return b
		}
	}
	return nil
}

// Place says where the store is, for people, without user, password and parameters.
func (l *URL) Place() string {
	switch {
	case l.Backend.Local && l.Path == "":
		return l.Backend.Name
	case l.Backend.Local:
		return l.Backend.Name + ", " + filepath.Base(l.Path)
	}
	where := strings.Join(l.Hosts, ",")
	if where == "" {
		// one of them, of those backends that have it
		where = l.Params.String("host") + l.Params.String("socket")
	}
	if l.Path != "" {
		where += "/" + l.Path
	}
	return l.Backend.Name + ", " + where
}
