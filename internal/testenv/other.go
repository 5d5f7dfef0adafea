//go:build !unix

package testenv

import (
	"errors"
	"syscall"
)

// Private servers need a Unix system. On other systems all servers come from the environment.

func newDir(string) (string, error) {
	return "", errors.New("private servers need a Unix system: " +
		"set the server's environment variable, or skip it with SCSKIT_SKIP_BACKENDS")
}

func home() string { return "" }

func removeHome() {}

func attributes(*account) *syscall.SysProcAttr { return nil }
