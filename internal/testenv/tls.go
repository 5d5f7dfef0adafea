package testenv

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The credentials of the servers that require TLS. A URL must escape some characters of the
// password.
const (
	tlsUser            = "scskit"
	tlsPassword        = "p@ss/w?rd:1"
	tlsPasswordEscaped = "p%40ss%2Fw%3Frd%3A1"
)

var redisTLSKind = kind{
	name:  "redis-tls",
	env:   "SCSKIT_TEST_REDIS_TLS",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		cert, key, err := certify(dir, nil)
		if err != nil {
			return nil, err
		}
		n, err := redisNode(filepath.Join(dir, "data"),
			"--user", "default", "off",
			"--user", tlsUser, "on", ">"+tlsPassword, "~*", "+@all",
			"--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, "--port", "0", "--tls-port", portOf(n.addr))
		return []*node{n}, nil
	},
	probe: probeRedisTLS,
	url:   func(addrs []string) string { return tlsURL("rediss", addrs[0], "?tls_ca=") },
	addr:  hostOf,
}

var postgresTLSKind = kind{
	name:  "postgres-tls",
	env:   "SCSKIT_TEST_POSTGRES_TLS",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		n, err := postgresTLSNode(dir)
		return []*node{n}, err
	},
	probe: probePostgresTLS,
	url: func(addrs []string) string {
		return tlsURL("postgres", addrs[0], "/postgres?sslmode=verify-full&sslrootcert=")
	},
	addr: hostOf,
}

var mysqlTLSKind = kind{
	name:  "mysql-tls",
	env:   "SCSKIT_TEST_MYSQL_TLS",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		user, err := unprivileged("mysql")
		if err != nil {
			return nil, err
		}
		cert, key, err := certify(dir, user)
		if err != nil {
			return nil, err
		}
		// Not ed25519: go-sql-driver drops a trailing zero of the server's challenge, so that one
		// login in 256 fails.
		account := "'" + tlsUser + "'@'%'"
		statements := "CREATE USER IF NOT EXISTS " + account +
			" IDENTIFIED VIA mysql_native_password USING PASSWORD('" + tlsPassword + "');\n" +
			"GRANT ALL ON scskit.* TO " + account + ";\n"
		n, err := mysqlNode(dir, statements,
			"--require-secure-transport=ON", "--ssl-cert="+cert, "--ssl-key="+key)
		return []*node{n}, err
	},
	probe: probeMySQL,
	url: func(addrs []string) string {
		return tlsURL("mysql", addrs[0], "/scskit?tls=true&tls_ca=")
	},
	addr: hostOf,
}

// tlsURL returns a URL for stores.Open. rest ends with the parameter for the authority's file.
func tlsURL(scheme, addr, rest string) string {
	return scheme + "://" + tlsUser + ":" + tlsPasswordEscaped + "@" + addr + rest + authorityFile()
}

// probeRedisTLS logs in with the credentials of private servers.
func probeRedisTLS(ctx context.Context, addr string) (string, error) {
	a, err := authority()
	if err != nil {
		return "", err
	}
	conn, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	conn = tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	defer func() { _ = conn.Close() }()
	if _, err := redisAsk(conn, "AUTH", tlsUser, tlsPassword); err != nil {
		return "", err
	}
	return redisVersion(conn)
}

// postgresTLSNode prepares a server that accepts only connections with TLS and a password.
func postgresTLSNode(dir string) (*node, error) {
	password := filepath.Join(dir, "password")
	if err := writeShared(password, tlsPassword); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	n, err := postgresNode(data, installedPostgres,
		"--username", tlsUser, "--pwfile", password, "--auth", "scram-sha-256")
	if err != nil {
		return nil, err
	}
	cert, key, err := certify(dir, n.user)
	if err != nil {
		return nil, err
	}
	n.args = append(n.args, "-c", "ssl=on", "-c", "ssl_cert_file="+cert, "-c", "ssl_key_file="+key)
	access := []byte("hostssl all all 127.0.0.1/32 scram-sha-256\n")
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), access, 0o600); err != nil {
		return nil, err
	}
	version, err := exec.Command(n.path, "--version").Output() //nolint:noctx // answers at once
	if err != nil {
		return nil, err
	}
	if words := strings.Fields(string(version)); len(words) > 2 {
		n.version = "PostgreSQL " + words[2]
	}
	return n, nil
}

// probePostgresTLS succeeds if the server refuses a connection because it does not use TLS.
func probePostgresTLS(ctx context.Context, addr string) (string, error) {
	version, err := probePostgres(ctx, addr)
	if err != nil && strings.Contains(err.Error(), "no encryption") {
		return "", nil
	}
	return version, err
}

// issuer is the authority that signs the certificates of this process's servers.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// authority creates the issuer and the file with its certificate.
var authority = sync.OnceValues(func() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := certificate("scskit's tests")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &issuer{cert, key}, (*account)(nil).writePEM(authorityFile(), "CERTIFICATE", der)
})

func authorityFile() string { return filepath.Join(home(), "authority.pem") }

// certificate returns the template for a certificate that is valid for a day.
func certificate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // never fails
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

// certify creates a certificate for servers on this machine. It returns the files of the
// certificate and of its key, which belong to the account.
func certify(dir string, user *account) (cert, key string, err error) {
	a, err := authority()
	if err != nil {
		return "", "", err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	leaf := certificate("server")
	leaf.DNSNames, leaf.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	certDER, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, private.Public(), a.key)
	if err != nil {
		return "", "", err
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return cert, key, errors.Join(
		user.writePEM(cert, "CERTIFICATE", certDER),
		user.writePEM(key, "EC PRIVATE KEY", keyDER))
}

// writePEM writes a file that only the account can read.
func (a *account) writePEM(file, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil || a == nil {
		return err
	}
	return os.Chown(file, int(a.uid), int(a.gid))
}
