package storeurl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// URL is a parsed store URL. Package net/url cannot parse these: it rejects lists of hosts with
// ports, and its errors contain the URL with its password.
type URL struct {
	Backend  *Backend
	Scheme   string
	User     string
	Password string
	HasUser  bool     // the URL has a user or a password
	Hosts    []string // each with a port if the URL has one
	Path     string   // decoded, without the slash before it
	Params   Params

	// Verified, if set, receives the error of the first load, possibly nil, and returns the error
	// to report.
	Verified func(ctx context.Context, err error) error
}

// Parse parses a URL. Its errors quote nothing that may be part of a password: in a malformed URL,
// any part may be.
func Parse(rawURL string) (*URL, error) {
	scheme, rest, _ := strings.Cut(rawURL, ":")
	l := &URL{Scheme: strings.ToLower(scheme)}
	if l.Backend = registered(l.Scheme); l.Backend == nil {
		return nil, unknownScheme(scheme, rest)
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, fmt.Errorf(
			"%s: the URL contains a control character: remove it; is there a line break at the end?", scheme)
	}
	var err error
	if l.Backend.Local {
		err = l.parseLocal(rest)
	} else {
		err = l.parseServer(rest)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Scheme, err)
	}
	return l, nil
}

// instead maps schemes of other programs to what to write here.
var instead = map[string]string{
	"file": "sqlite:PATH", "sqlite3": "sqlite:PATH",
	"unix": "redis:///DB?socket=PATH", "redis-socket": "redis:///DB?socket=PATH",
	"valkey": "redis://", "valkeys": "rediss://", "redis-sentinel": "redis+sentinel://",
	"pgx": "postgres://", "pgx5": "postgres://", "mariadb": "mysql://", "mongo": "mongodb://",
}

// otherNotation returns what to write in place of s if s is a data source name in the notation of
// go-sql-driver or libpq, and "" otherwise.
func otherNotation(s string) string {
	switch {
	case strings.Contains(s, "tcp(") || strings.Contains(s, "unix("): // go-sql-driver
		return "write mysql://USER:PASSWORD@HOST:PORT/DATABASE, or for a socket " +
			"mysql://USER@/DATABASE?socket=PATH"
	case strings.Contains(s, "dbname=") || strings.HasPrefix(s, "host="): // libpq
		return "write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
	}
	return ""
}

func unknownScheme(scheme, rest string) error {
	lower := strings.ToLower(scheme)
	if path := packageOf(lower); path != "" {
		return fmt.Errorf("the program does not link the package that opens %s: import _ %q, "+
			"or _ %q for all backends", lower, path, all)
	}
	known := strings.Join(schemes(), ", ")
	switch {
	case scheme == "cookie" || scheme == "cookiestore":
		return errors.New("a cookie store needs keys, which do not belong in a URL: " +
			"call cookiestore.New; a URL begins with one of: " + known)
	case instead[lower] != "":
		return fmt.Errorf("the scheme %s is not supported: write %s", lower, instead[lower])
	case otherNotation(scheme+":"+rest) != "":
		return fmt.Errorf("not a URL: %s", otherNotation(scheme+":"+rest))
	case strings.HasPrefix(rest, "//") && len(scheme) <= 20 && isWord(scheme, "+-."):
		return fmt.Errorf("unknown scheme %q: a URL begins with one of: %s", scheme, known)
	}
	return errors.New("unknown scheme: a URL begins with one of: " + known)
}

// isWord reports whether s is not empty and consists of ASCII letters, digits and the characters in
// others.
func isWord(s, others string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
			strings.ContainsRune(others, r):
		default:
			return false
		}
	}
	return s != ""
}

func (l *URL) parseLocal(rest string) (err error) {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return fmt.Errorf("the URL must not have a host: write %s", l.Backend.Syntax)
		}
		rest = after
	}
	path, query, _ := strings.Cut(rest, "?")
	if l.Path, err = unescape(path, "path"); err != nil {
		return err
	}
	return l.parseParams(query)
}

const escapeFix = "percent-encode /, ?, #, @ and : in the user name and the password " +
	"(%2F, %3F, %23, %40, %3A); elsewhere, percent-encode # and every @ but the one before the host"

func (l *URL) parseServer(rest string) (err error) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return fmt.Errorf("// is missing after the scheme: write %s", l.Backend.Syntax)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.ContainsAny(tail, "@#") {
		return errors.New(escapeFix)
	}
	tail, query, _ := strings.Cut(tail, "?")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		l.HasUser = true
		user, password, _ := strings.Cut(authority[:at], ":")
		if l.User, err = unescape(user, "user name"); err != nil {
			return err
		}
		if l.Password, err = unescape(password, "password"); err != nil {
			return err
		}
		authority = authority[at+1:]
	}
	if other := otherNotation(authority); other != "" {
		return errors.New(other)
	}
	if strings.Contains(strings.ToUpper(authority), "%2F") && l.Backend.Socket != "" {
		return fmt.Errorf("a host has an invalid character: for a socket, write %s", l.Backend.Socket)
	}
	if authority != "" {
		l.Hosts = strings.Split(authority, ",")
	}
	for _, h := range l.Hosts {
		if err := checkHost(h); err != nil {
			return err
		}
	}
	if l.Path, err = unescape(strings.TrimPrefix(tail, "/"), "path"); err != nil {
		return err
	}
	return l.parseParams(query)
}

func unescape(s, what string) (string, error) {
	text, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("the %s has a %% without two hexadecimal digits: write %%25 for a %%", what)
	}
	if strings.ContainsRune(text, 0) {
		return "", fmt.Errorf("the %s contains a zero byte", what)
	}
	return text, nil
}

func checkHost(s string) error {
	host, port := SplitHost(s)
	switch {
	case host == "":
		return errors.New("a host is empty: write one before the port and between commas")
	case strings.HasPrefix(s, "[") && (net.ParseIP(host) == nil || !strings.Contains(s, "]")),
		!strings.HasPrefix(s, "[") && !isWord(host, "-._"):
		return errors.New("a host has an invalid character: write HOST or HOST:PORT, or " +
			"[ADDRESS]:PORT for IPv6")
	case strings.HasSuffix(s, ":"):
		return errors.New("a port is missing after the colon")
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return errors.New("a port must be a number from 1 to 65535; if this is part of a password, " +
			"write @ after the password, and " + escapeFix)
	}
	return nil
}

// SplitHost splits host:port. port is empty if there is none.
func SplitHost(s string) (host, port string) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, rest, _ := strings.Cut(inner, "]")
		if rest != "" && !strings.HasPrefix(rest, ":") {
			return "", ""
		}
		return host, strings.TrimPrefix(rest, ":")
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port
}

// Address returns host:port for a host in the URL, with defaultPort if it has none.
func Address(s, defaultPort string) string {
	host, port := SplitHost(s)
	if port == "" {
		port = defaultPort
	}
	return net.JoinHostPort(host, port)
}

// OneHost returns the host, and an error unless there is exactly one.
func (l *URL) OneHost() (string, error) {
	switch len(l.Hosts) {
	case 0:
		return "", l.LacksHost()
	case 1:
		return l.Hosts[0], nil
	}
	return "", fmt.Errorf("there is more than one host: write %s", l.Backend.Syntax)
}

// Lacks returns the error for a URL without a required part.
func (l *URL) Lacks(what string) error {
	return fmt.Errorf("the %s is missing: write %s", what, l.Backend.Syntax)
}

// LacksHost returns the error for a URL without a host.
func (l *URL) LacksHost() error {
	err := l.Lacks("host")
	if l.Backend.Socket == "" {
		return err
	}
	return fmt.Errorf("%w; for a socket, write %s", err, l.Backend.Socket)
}

// Escape percent-encodes s. The result has no plus sign, which some parsers read as a space.
func Escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
