package testenv

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is a user that a server runs as. A nil account is the user of this process.
type account struct{ uid, gid uint32 }

// unprivileged returns an account for servers that refuse to run as root. It is nil if this process
// does not run as root, and otherwise the first of the named users that exists.
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
	return nil, errors.New("this machine has no unprivileged user to run the server as")
}

// reaches reports whether all users, and so the account, may enter the directories above a file.
func (a *account) reaches(file string) bool {
	for dir := filepath.Dir(file); a != nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&1 == 0 {
			return false
		}
	}
	return true
}

// writeShared writes a file that all users can read, since the server may run as another user.
func writeShared(file, text string) error { return os.WriteFile(file, []byte(text), 0o644) }

// own creates a directory that belongs to the account.
func (a *account) own(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil || a == nil {
		return err
	}
	return os.Chown(dir, int(a.uid), int(a.gid))
}
