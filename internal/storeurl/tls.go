package storeurl

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSConfig returns a configuration that trusts the certificates in the file named by the parameter
// tls_ca, or the system's if it is not set.
func (l *URL) TLSConfig(host string, skipVerify bool) (*tls.Config, error) {
	c := &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: skipVerify, //nolint:gosec // requested by the URL
	}
	file := l.Params.String("tls_ca")
	if file == "" {
		return c, nil
	}
	if skipVerify {
		return nil, errors.New("tls_ca and skip_verify=true exclude each other: leave one out")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls_ca: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls_ca: %s contains no PEM certificate", file)
	}
	return c, nil
}
