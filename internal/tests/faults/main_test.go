package faults_test

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		// These tests wait for timeouts and servers most of the time.
		if err := flag.Set("test.parallel", "12"); err != nil {
			panic(err)
		}
	}
	redis.SetLogger(quiet{}) // the default logger logs every failed connection
	os.Exit(testenv.Main(m))
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
