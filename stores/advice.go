package stores

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

const (
	checkPassword = "check the user and the password; what is special in them must be written " +
		"with %, as %40 for an @"
	wantsTLS = "the server wants TLS: write "
	hasNoTLS = "the server has no TLS: write "
)

// refused is the error of a server that Open cannot use, without secrets, and with what to write
// in the URL instead, if the error tells.
func (l *location) refused(err error) error {
	var unknown x509.UnknownAuthorityError
	var advice string
	switch {
	case l.backend.authority != "" && errors.As(err, &unknown):
		advice = "name the file of the authority's certificate: " + l.backend.authority + "=FILE"
	case l.backend.advise != nil:
		advice = l.backend.advise(l, err)
	}
	if advice == "" && len(l.hosts) > 0 && errors.Is(err, context.DeadlineExceeded) {
		advice = "there was no answer in time: check the host and the port, and whether a " + l.backend.name + " is there"
	}
	if err = l.scrub(err); advice == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

func adviseRedis(l *location, err error) string {
	var answer redis.Error
	var plain tls.RecordHeaderError
	kind, encrypted := strings.CutPrefix(strings.TrimPrefix(l.scheme, "redis"), "s")
	switch {
	case errors.Is(err, io.EOF) && !encrypted:
		return "does the server want TLS? Then write rediss" + kind + "://; or is it no Redis? Check the port"
	case encrypted && (errors.Is(err, io.EOF) || errors.As(err, &plain) || errors.Is(err, context.DeadlineExceeded)):
		return "does the server have no TLS? Then write redis" + kind + "://; or is it no Redis? Check the port"
	case isStrange(err):
		return "the server does not speak Redis's protocol: check the host and the port"
	case !errors.As(err, &answer):
	case redis.HasErrorPrefix(answer, "NOAUTH"):
		return "the server wants a password: write " + l.backend.syntax
	case redis.HasErrorPrefix(answer, "WRONGPASS"):
		return checkPassword
	}
	return ""
}

// isStrange reports whether the client did not understand an answer.
func isStrange(err error) bool {
	text := err.Error()
	return strings.Contains(text, "redis: invalid reply") || strings.Contains(text, "redis: can't parse")
}

func advisePostgres(_ *location, err error) string {
	var answer *pgconn.PgError
	switch {
	case strings.Contains(err.Error(), "server refused TLS connection"): // pgconn has no name for it
		return hasNoTLS + "sslmode=disable"
	case !errors.As(err, &answer):
	case answer.Code == "28P01": // invalid_password
		return checkPassword
	case answer.Code == "28000" && strings.Contains(answer.Message, "no encryption"):
		return wantsTLS + "sslmode=verify-full"
	}
	return ""
}

func adviseMySQL(l *location, err error) string {
	var answer *mysql.MySQLError
	switch encrypted := l.params.string("tls") + l.params.string("tls_ca"); {
	case errors.Is(err, mysql.ErrNoTLS):
		return hasNoTLS + "tls=false, without tls_ca"
	case !errors.As(err, &answer):
	case answer.Number == 3159: // ER_SECURE_TRANSPORT_REQUIRED
		return wantsTLS + "tls=true"
	case answer.Number == 1045 && encrypted == "": // ER_ACCESS_DENIED_ERROR, MariaDB's for both
		return checkPassword + "; or does the server want TLS? Then write tls=true"
	case answer.Number == 1045:
		return checkPassword
	}
	return ""
}

func adviseMongo(l *location, err error) string {
	var server mongo.CommandError
	text := err.Error()
	tls := l.params.string("tls") + l.params.string("ssl")
	encrypted := tls == "true" || tls == "" && l.scheme == "mongodb+srv"
	closed := strings.Contains(text, "incomplete read of message header") || strings.Contains(text, "EOF") ||
		strings.Contains(text, "connection reset")
	switch {
	case errors.As(err, &server) && server.Code == 18: // AuthenticationFailed
		return checkPassword
	case !strings.Contains(text, "server selection error"):
	case encrypted && (closed || strings.Contains(text, "does not look like a TLS handshake")):
		return "does the server have no TLS? Then write tls=false; or is it no MongoDB? Check the port"
	case closed && !encrypted:
		return "does the server want TLS? Then write tls=true; or is it no MongoDB? Check the port"
	}
	return ""
}
