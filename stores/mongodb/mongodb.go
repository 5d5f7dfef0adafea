// Package mongodb registers the URLs of MongoDB with stores.Open. Import it for this effect only:
//
//	import _ "github.com/scskit/scskit/stores/mongodb"
package mongodb

import (
	"context"
	"errors"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/mongostore"
)

// clientParams are the parameters that are passed to MongoDB's driver. The list is needed because
// the driver ignores unknown parameters.
var clientParams = []string{
	"appName", "authMechanism", "authMechanismProperties", "authSource", "compressors",
	"connectTimeoutMS", "directConnection", "heartbeatFrequencyMS", "journal",
	"loadBalanced", "localThresholdMS", "maxConnecting", "maxIdleTimeMS", "maxPoolSize",
	"minPoolSize", "readConcernLevel", "replicaSet", "retryReads", "retryWrites",
	"serverSelectionTimeoutMS", "srvMaxHosts", "srvServiceName", "ssl", "timeoutMS", "tls",
	"tlsCAFile", "tlsCertificateFile", "tlsCertificateKeyFile", "tlsDisableOCSPEndpointCheck",
	"tlsInsecure", "tlsPrivateKeyFile", "w", "zlibCompressionLevel", "zstdCompressionLevel",
}

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes:   []string{"mongodb", "mongodb+srv"},
		Name:      "MongoDB",
		Syntax:    "mongodb://[USER:PASSWORD@]HOST[:PORT],…/DATABASE, or mongodb+srv://",
		Params:    append([]string{"collection", "sweep"}, clientParams...),
		Fold:      true,
		Authority: "tlsCAFile",
		Advise:    advise,
		Open:      open,
	})
}

func open(
	_ context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	switch {
	case len(l.Hosts) == 0:
		return nil, nil, l.Lacks("host")
	case l.Path == "" || strings.ContainsAny(l.Path, `/\. "$`): // MongoDB's rule for names
		return nil, nil, l.Lacks("database")
	case l.Scheme == "mongodb+srv" && (len(l.Hosts) > 1 || strings.Contains(l.Hosts[0], ":")):
		return nil, nil, errors.New("mongodb+srv takes one host without a port: write " +
			"mongodb+srv://HOST/DATABASE")
	}
	o := options.Client().ApplyURI(clientURI(l))
	if err := o.Validate(); err != nil {
		return nil, nil, err
	}
	if o.ServerSelectionTimeout == nil {
		o.SetServerSelectionTimeout(storeurl.ConnectTimeout)
	}
	if o.ConnectTimeout == nil {
		o.SetConnectTimeout(storeurl.ConnectTimeout)
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, nil, err
	}
	release := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), storeurl.ConnectTimeout)
		defer cancel()
		return client.Disconnect(ctx)
	}
	name := l.Params.String("collection")
	if name == "" {
		name = "sessions"
	}
	collection := client.Database(l.Path).Collection(name)
	store, err := mongostore.New(collection, &mongostore.Options{Options: shared})
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return store, release, nil
}

// clientURI returns the URL for MongoDB's driver, without the store's own parameters.
func clientURI(l *storeurl.URL) string {
	var b strings.Builder
	b.WriteString(l.Scheme + "://")
	if l.HasUser {
		b.WriteString(storeurl.Escape(l.User))
		if l.Password != "" {
			b.WriteString(":" + storeurl.Escape(l.Password))
		}
		b.WriteByte('@')
	}
	b.WriteString(strings.Join(l.Hosts, ",") + "/" + storeurl.Escape(l.Path) + "?")
	for i, name := range clientParams {
		if value := l.Params.String(name); value != "" {
			if i > 0 && !strings.HasSuffix(b.String(), "?") {
				b.WriteByte('&')
			}
			b.WriteString(name + "=" + storeurl.Escape(value))
		}
	}
	return strings.TrimSuffix(b.String(), "?")
}

func advise(l *storeurl.URL, err error) string {
	var server mongo.CommandError
	text := err.Error()
	tls := l.Params.String("tls") + l.Params.String("ssl")
	encrypted := tls == "true" || tls == "" && l.Scheme == "mongodb+srv"
	closed := strings.Contains(text, "incomplete read of message header") ||
		strings.Contains(text, "EOF") || strings.Contains(text, "connection reset")
	switch {
	case errors.As(err, &server) && server.Code == 18: // AuthenticationFailed
		return storeurl.CheckPassword
	case !strings.Contains(text, "server selection error"):
	case encrypted && (closed || strings.Contains(text, "does not look like a TLS handshake")):
		return "if the server has no TLS, write tls=false; if it is not MongoDB, check the port"
	case closed && !encrypted:
		return "if the server requires TLS, write tls=true; if it is not MongoDB, check the port"
	}
	return ""
}
