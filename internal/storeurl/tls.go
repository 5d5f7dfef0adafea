package storeurl

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSConfig trusts the certificates that tls_ca names, or those of the system.
func (l *URL) TLSConfig(host string, skipVerify bool) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: skipVerify} //nolint:gosec // the URL asks for it
	file := l.Params.String("tls_ca")
	if file == "" {
		return c, nil
	}
	if skipVerify {
		return nil, errors.New("tls_ca has no use where certificates are not verified: leave one of " +
			"the two out")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls_ca: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls_ca: %s has no certificate in PEM", file)
	}
	return c, nil
}
