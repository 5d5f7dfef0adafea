package stores_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
)

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// startRedis starts a Redis server for the test, and returns its address once it listens.
func startRedis(t *testing.T, args ...string) (addr string) {
	t.Helper()
	return startRedisOn(t, "--port", args...)
}

// startRedisOn starts a Redis server whose port is set by flag, --port or --tls-port.
func startRedisOn(t *testing.T, flag string, args ...string) (addr string) {
	t.Helper()
	if testenv.Skipped("redis") {
		t.Skip("redis is named in SCSKIT_SKIP_BACKENDS")
	}
	port := freePort(t)
	if flag == "--tls-port" {
		args = append(args, "--port", "0")
	}
	// A Sentinel requires a writable configuration file.
	conf := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(conf, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{conf, flag, port, "--bind", "127.0.0.1", "--dir", filepath.Dir(conf)},
		args...)
	cmd := exec.Command("redis-server", args...)
	log, err := os.Create(filepath.Join(filepath.Dir(conf), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run make backends to install it", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	addr = net.JoinHostPort("127.0.0.1", port)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return addr
		}
		select {
		case <-poll.C:
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("redis-server has exited:\n%s", text)
		}
	}
}

// certificate writes a certificate for 127.0.0.1 that is signed by a new CA. It returns the file of
// the CA's certificate, and the arguments with which Redis uses the certificate.
func certificate(t *testing.T) (ca string, args []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	caKey, key := newKey(), newKey()
	root := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test authority"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "redis"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    root.NotBefore,
		NotAfter:     root.NotAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, caKey.Public(), caKey)
	ca = write("ca.pem", "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), caKey)
	cert := write("cert.pem", "CERTIFICATE", der, err)
	der, err = x509.MarshalECPrivateKey(key)
	return ca, []string{
		"--tls-cert-file", cert,
		"--tls-key-file", write("key.pem", "EC PRIVATE KEY", der, err),
		"--tls-ca-cert-file", ca,
		"--tls-auth-clients", "no",
		"--tls-replication", "yes",
		"--tls-cluster", "yes",
	}
}

func TestTLS(t *testing.T) {
	ca, args := certificate(t)
	addr := startRedisOn(t, "--tls-port", append(args, "--requirepass", "p@ss/w?rd")...)
	at := "rediss://:p%40ss%2Fw%3Frd@" + addr
	shared(t, at+"?tls_ca="+ca)
	shared(t, at+"/3?skip_verify=true")
	_, _, err := stores.Open(t.Context(), at, nil)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with a certificate of an unknown authority: got error %v", err)
	}
	plain := strings.Replace(at, "rediss", "redis", 1)
	if _, _, err := stores.Open(t.Context(), plain, nil); err == nil {
		t.Error("Open succeeds without TLS")
	}
	for name, text := range map[string]string{
		"tls_ca=" + args[3]:             "contains no PEM certificate",
		"skip_verify=true&tls_ca=" + ca: "leave one out",
	} {
		_, _, err := stores.Open(t.Context(), at+"?"+name, nil)
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got error %v, want %s", name, err, text)
		}
	}
	nothingLeft(t)
}

func TestTLSCluster(t *testing.T) {
	ca, args := certificate(t)
	addr := startRedisOn(t, "--tls-port",
		append(args, "--cluster-enabled", "yes", "--cluster-port", freePort(t))...)
	c := redis.NewClient(&redis.Options{Addr: addr, TLSConfig: trusting(t, ca)})
	defer c.Close()
	if err := c.Do(t.Context(), "cluster", "addslotsrange", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) bool {
		return strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_state:ok")
	})
	_ = c.Close()
	shared(t, "rediss+cluster://"+addr+"?tls_ca="+ca)
}

func TestSentinel(t *testing.T) {
	ca, args := certificate(t)
	for scheme, certs := range map[string][]string{"redis+sentinel": nil, "rediss+sentinel": args} {
		t.Run(scheme, func(t *testing.T) {
			flag, query := "--port", "?sentinel_username=watcher&sentinel_password=s%26cret"
			if certs != nil {
				flag, query = "--tls-port", query+"&tls_ca="+ca
			}
			start := func(args ...string) string {
				return startRedisOn(t, flag, append(slices.Clone(certs), args...)...)
			}
			master := start("--requirepass", "right")
			host, port, _ := net.SplitHostPort(master)
			sentinel := start("--sentinel",
				"--sentinel", "monitor", "main", host, port, "1",
				"--sentinel", "auth-pass", "main", "right",
				"--user", "watcher", "on", ">s&cret", "allcommands", "allchannels")
			shared(t, scheme+"://:right@"+sentinel+"/main/1"+query)
			_, _, err := stores.Open(t.Context(), scheme+"://:right@"+sentinel+"/other"+query, nil)
			want := "cannot use Redis Sentinel, " + sentinel + "/other: "
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("with an unknown master: got error %v, want %s", err, want)
			}
			nothingLeft(t)
		})
	}
}

// trusting returns a TLS configuration that trusts the CA in a file.
func trusting(t *testing.T, ca string) *tls.Config {
	t.Helper()
	l := &storeurl.URL{Params: storeurl.Params{"tls_ca": ca}}
	c, err := l.TLSConfig("127.0.0.1", false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// await waits until done returns true.
func await(t *testing.T, done func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !done(ctx) {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
}
