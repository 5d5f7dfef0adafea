package testenv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"
)

var mongoKind = kind{
	name:  "mongodb",
	env:   "SCSKIT_TEST_MONGODB",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		path, err := built("ferretdb")
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
		args := []string{"-listen", addr, "-dir", data}
		return []*node{{addr: addr, dir: data, path: path, args: args}}, nil
	},
	probe: probeMongo,
	url:   func(addrs []string) string { return "mongodb://" + addrs[0] + "/" },
	addr:  hostOf,
}

// hostOf returns the host:port of a URL.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// probeMongo sends the command buildInfo, which needs no login, in one OP_MSG.
func probeMongo(ctx context.Context, addr string) (string, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()

	const opMsg = 2013
	fields := "\x10buildInfo\x00\x01\x00\x00\x00" + "\x02$db\x00\x06\x00\x00\x00admin\x00" + "\x00"
	request := make([]byte, 0, 64)
	for _, word := range []int{16 + 4 + 1 + 4 + len(fields), 1, 0, opMsg, 0} {
		request = binary.LittleEndian.AppendUint32(request, uint32(word))
	}
	request = append(request, 0) // a section of one document
	request = binary.LittleEndian.AppendUint32(request, uint32(4+len(fields)))
	if _, err := conn.Write(append(request, fields...)); err != nil {
		return "", err
	}

	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return "", err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n < 21 || n > 1<<20 {
		return "", fmt.Errorf("mongodb: unexpected message of %d bytes", n)
	}
	reply := make([]byte, n-4)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return "", err
	}
	_, rest, found := bytes.Cut(reply, []byte("\x02version\x00"))
	if !found || len(rest) < 4 {
		return "", errors.New("mongodb: no version in the reply")
	}
	version, _, _ := bytes.Cut(rest[4:], []byte{0})
	if bytes.Contains(reply, []byte("ferretdb")) {
		return fmt.Sprintf("FerretDB (speaks MongoDB %s)", version), nil
	}
	return "MongoDB " + string(version), nil
}
