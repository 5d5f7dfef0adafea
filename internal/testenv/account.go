package testenv

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is a user that a server runs as.
type account struct{ uid, gid uint32 }

// unprivileged returns the account for servers that refuse to run as root: nil, this process's own,
// if that is not root; else the first of the named users that exists.
func unprivileged(names ...string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &account{uint32(uid), uint32(gid)}, nil
	}
	return nil, errors.New("no unprivileged user on this machine to run the server as")
}

// reaches reports whether the account may pass through the directories to a file, as others do.
func (a *account) reaches(file string) bool {
	for dir := filepath.Dir(file); a != nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&1 == 0 {
			return false
		}
	}
	return true
}

// own makes a directory that belongs to the account.
func (a *account) own(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil || a == nil {
		return err
	}
	return os.Chown(dir, int(a.uid), int(a.gid))
}
