// Package dynamodb registers the URLs of DynamoDB tables with stores.Open. Import it for this
// effect only:
//
//	import _ "github.com/scskit/scskit/stores/dynamodb"
package dynamodb

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/dynamostore"
)

var params = []string{
	"endpoint", "profile", "sweep", "eventually_consistent_reads", "ttl", "read_capacity",
	"write_capacity",
}

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"dynamodb"},
		Name:    "DynamoDB",
		Syntax:  "dynamodb://[REGION]/TABLE[?endpoint=URL]",
		Params:  params,
		Open:    open,
	})
}

func open(
	ctx context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	if l.HasUser {
		return nil, nil, errors.New("the URL must not contain credentials: set AWS_ACCESS_KEY_ID " +
			"and AWS_SECRET_ACCESS_KEY, or use another source that the AWS command line reads")
	}
	if l.Path == "" {
		return nil, nil, l.Lacks("table")
	}
	opts, err := storeOptions(l, shared)
	if err != nil {
		return nil, nil, err
	}
	client, closeClient, err := newClient(ctx, l)
	if err != nil {
		return nil, nil, err
	}
	store, err := dynamostore.New(client, opts)
	return store, closeClient, err
}

func storeOptions(l *storeurl.URL, shared scskit.Options) (*dynamostore.Options, error) {
	o := &dynamostore.Options{Options: shared, Table: l.Path}
	var err error
	if o.EventuallyConsistentReads, err = l.Params.Bool("eventually_consistent_reads"); err != nil {
		return nil, err
	}
	if l.Params.String("ttl") != "" {
		ttl, err := l.Params.Bool("ttl")
		if err != nil {
			return nil, err
		}
		o.TTLDisabled = !ttl
	}
	read, err := l.Params.Positive("read_capacity")
	if err != nil {
		return nil, err
	}
	write, err := l.Params.Positive("write_capacity")
	if err != nil {
		return nil, err
	}
	o.ReadCapacity, o.WriteCapacity = int64(read), int64(write)
	return o, nil
}

func newClient(ctx context.Context, l *storeurl.URL) (*dynamodb.Client, func() error, error) {
	var load []func(*config.LoadOptions) error
	if len(l.Hosts) > 0 {
		region, err := l.OneHost()
		if err != nil {
			return nil, nil, err
		}
		if strings.ContainsAny(region, ":[") {
			return nil, nil, errors.New("the URL must have a region in place of a host: for another " +
				"server, write dynamodb://REGION/TABLE?endpoint=http://HOST:PORT")
		}
		load = append(load, config.WithRegion(region))
	}
	if endpoint := l.Params.String("endpoint"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, nil, errors.New("the parameter endpoint must be a URL such as " +
				"http://localhost:8000")
		}
		load = append(load, config.WithBaseEndpoint(endpoint))
	}
	if profile := l.Params.String("profile"); profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Region == "" {
		return nil, nil, errors.New("the region is missing: write dynamodb://REGION/TABLE, or " +
			"set AWS_REGION")
	}
	// The release function must close only this client's connections, so the client gets a transport
	// of its own, with the certificates and timeouts of the configuration.
	shared, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		shared = awshttp.NewBuildableClient()
	}
	transport := shared.GetTransport()
	cfg.HTTPClient = &http.Client{
		Transport:     transport,
		Timeout:       shared.GetTimeout(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	release := func() error {
		transport.CloseIdleConnections()
		return nil
	}
	return dynamodb.NewFromConfig(cfg), release, nil
}
