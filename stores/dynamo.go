package stores

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
	"github.com/scskit/scskit/stores/dynamostore"
)

var dynamoParams = []string{"endpoint", "profile", "sweep", "eventually_consistent_reads", "ttl", "read_capacity", "write_capacity"}

func openDynamo(ctx context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	if l.userinfo {
		return nil, nil, errors.New("credentials do not belong into the URL: they are found as the AWS command line finds them, in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for instance")
	}
	if l.path == "" {
		return nil, nil, l.lacks("table")
	}
	opts, err := l.dynamoOptions(shared)
	if err != nil {
		return nil, nil, err
	}
	client, closeClient, err := l.dynamoClient(ctx)
	if err != nil {
		return nil, nil, err
	}
	store, err := dynamostore.New(client, opts)
	return store, closeClient, err
}

func (l *location) dynamoOptions(shared scskit.Options) (*dynamostore.Options, error) {
	o := &dynamostore.Options{Options: shared, Table: l.path}
	var err error
	if o.EventuallyConsistentReads, err = l.params.bool("eventually_consistent_reads"); err != nil {
		return nil, err
	}
	if l.params.string("ttl") != "" {
		ttl, err := l.params.bool("ttl")
		if err != nil {
			return nil, err
		}
		o.TTLDisabled = !ttl
	}
	read, err := l.params.positive("read_capacity")
	if err != nil {
		return nil, err
	}
	write, err := l.params.positive("write_capacity")
	if err != nil {
		return nil, err
	}
	o.ReadCapacity, o.WriteCapacity = int64(read), int64(write)
	return o, nil
}

func (l *location) dynamoClient(ctx context.Context) (*dynamodb.Client, func() error, error) {
	var load []func(*config.LoadOptions) error
	if len(l.hosts) > 0 {
		region, err := l.oneHost()
		if err != nil {
			return nil, nil, err
		}
		if strings.ContainsAny(region, ":[") {
			return nil, nil, errors.New("in the place of the host is the region: for another server, write dynamodb://REGION/TABLE?endpoint=http://HOST:PORT")
		}
		load = append(load, config.WithRegion(region))
	}
	if endpoint := l.params.string("endpoint"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, nil, errors.New("the parameter endpoint must be a URL like http://localhost:8000")
		}
		load = append(load, config.WithBaseEndpoint(endpoint))
	}
	if profile := l.params.string("profile"); profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Region == "" {
		return nil, nil, errors.New("the region is missing: write dynamodb://REGION/TABLE, or set AWS_REGION")
	}
	// A transport of our own can be closed; the configuration's certificates and time-outs are
	// kept.
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
	return dynamodb.NewFromConfig(cfg), func() error { transport.CloseIdleConnections(); return nil }, nil
}
