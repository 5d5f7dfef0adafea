package stores

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/mongostore"
)

// mongoParams are those that go to the driver, which would pass over a name that it does not know.
var mongoParams = []string{
	"appName", "authMechanism", "authMechanismProperties", "authSource", "compressors", "connectTimeoutMS", "directConnection",
	"heartbeatFrequencyMS", "journal", "loadBalanced", "localThresholdMS", "maxConnecting", "maxIdleTimeMS", "maxPoolSize", "minPoolSize",
	"readConcernLevel", "replicaSet", "retryReads", "retryWrites", "serverSelectionTimeoutMS",
	"srvMaxHosts", "srvServiceName", "ssl", "timeoutMS", "tls", "tlsCAFile", "tlsCertificateFile", "tlsCertificateKeyFile",
	"tlsDisableOCSPEndpointCheck", "tlsInsecure", "tlsPrivateKeyFile", "w", "zlibCompressionLevel", "zstdCompressionLevel",
}

func openMongo(_ context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	switch {
	case len(l.hosts) == 0:
		return nil, nil, l.lacks("host")
	case l.path == "" || strings.ContainsAny(l.path, `/\. "$`): // MongoDB's own rule
		return nil, nil, l.lacks("database")
	case l.scheme == "mongodb+srv" && (len(l.hosts) > 1 || strings.Contains(l.hosts[0], ":")):
		return nil, nil, errors.New("with mongodb+srv there is one host, without a port: write mongodb+srv://HOST/DATABASE")
	}
	o := options.Client().ApplyURI(l.mongoURI())
	if err := o.Validate(); err != nil {
		return nil, nil, err
	}
	if o.ServerSelectionTimeout == nil {
		o.SetServerSelectionTimeout(connectTimeout)
	}
	if o.ConnectTimeout == nil {
		o.SetConnectTimeout(connectTimeout)
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, nil, err
	}
	release := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		return client.Disconnect(ctx)
	}
	collection := l.params.string("collection")
	if collection == "" {
		collection = "sessions"
	}
	store, err := mongostore.New(client.Database(l.path).Collection(collection), &mongostore.Options{Options: shared})
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return store, release, nil
}

// mongoURI writes the URL anew, for the driver, without what is not for it.
func (l *location) mongoURI() string {
	var b strings.Builder
	b.WriteString(l.scheme + "://")
	if l.userinfo {
		b.WriteString(escape(l.user))
		if l.password != "" {
			b.WriteString(":" + escape(l.password))
		}
		b.WriteByte('@')
	}
	b.WriteString(strings.Join(l.hosts, ",") + "/" + escape(l.path) + "?")
	for i, name := range mongoParams {
		if value := l.params.string(name); value != "" {
			if i > 0 && !strings.HasSuffix(b.String(), "?") {
				b.WriteByte('&')
			}
			b.WriteString(name + "=" + escape(value))
		}
	}
	return strings.TrimSuffix(b.String(), "?")
}

// escape leaves neither a plus sign nor a space, of which readers think differently.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
