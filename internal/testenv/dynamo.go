package testenv

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// The private server is dynalite, started by internal/testservers/dynalite. It hands each write to
// the operating system before it acknowledges it: a killed process loses no acknowledged write.
var dynamoKind = kind{
	name:  "dynamodb",
	env:   "SCSKIT_TEST_DYNAMODB",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		server, err := built("dynalite/server.js")
		if err != nil {
			return nil, err
		}
		interpreter, err := program("node")
		if err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		data := filepath.Join(dir, "data")
		if err := (*account)(nil).own(data); err != nil {
			return nil, err
		}
		return []*node{{
			addr: addr, dir: data, path: interpreter,
			args: []string{server, "--listen", addr, "--dir", data},
		}}, nil
	},
	probe: probeDynamo,
	url:   func(addrs []string) string { return "http://" + addrs[0] },
	addr:  hostOf,
}

// probeDynamo lists the tables. dynalite and DynamoDB Local require a date and a signature, and
// accept any.
func probeDynamo(ctx context.Context, addr string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/",
		strings.NewReader("{}"))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
	req.Header.Set("X-Amz-Date", "20000101T000000Z")
	req.Header.Set("Authorization",
		"AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/dynamodb/aws4_request, "+
			"SignedHeaders=host;x-amz-target, Signature=0")
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "TableNames") {
		return "", fmt.Errorf("dynamodb responds %s: %.200s", resp.Status, body)
	}
	if name, version, _ := strings.Cut(resp.Header.Get("Server"), "/"); name == "dynalite" {
		return name + " " + version, nil
	}
	return "DynamoDB Local", nil
}
