//go:build !unix

package testenv

import (
	"errors"
	"syscall"
)

// Private servers need a Unix system; elsewhere all servers come from the environment.

func newDir(string) (string, error) {
	return "", errors.New("private servers need a Unix system: name a server in the environment, or " +
		"skip it with SCSKIT_SKIP_BACKENDS")
}

func home() string { return "" }

func removeHome() {}

func attributes(*account) *syscall.SysProcAttr { return nil }
