//go:build unix

package testenv

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// The directory that holds the data of all servers of this process. It has a lock file that stays
// locked while the process lives, so that a later process can find and remove the directories of
// killed ones.
var (
	homeMu   sync.Mutex
	homeDir  string
	homeLock *os.File
)

const homePrefix = "scskit-testenv-"

// newDir creates an empty directory that all users may enter: some servers run as another user.
func newDir(name string) (string, error) {
	homeMu.Lock()
	defer homeMu.Unlock()
	if homeDir == "" {
		removeLeftovers()
		dir, err := os.MkdirTemp("", homePrefix)
		if err != nil {
			return "", err
		}
		lock, err := os.Create(filepath.Join(dir, "lock"))
		if err != nil {
			return "", err
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return "", err
		}
		if err := os.Chmod(dir, 0o711); err != nil {
			return "", err
		}
		homeDir, homeLock = dir, lock
	}
	dir, err := os.MkdirTemp(homeDir, name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// home returns the directory of this process. It is empty before the first call of newDir.
func home() string {
	homeMu.Lock()
	defer homeMu.Unlock()
	return homeDir
}

// removeHome removes the directory of this process and its contents.
func removeHome() {
	homeMu.Lock()
	defer homeMu.Unlock()
	if homeDir == "" {
		return
	}
	_ = os.RemoveAll(homeDir)
	_ = homeLock.Close()
	homeDir = ""
}

// removeLeftovers removes the directories of processes that no longer run.
func removeLeftovers() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), homePrefix+"*"))
	for _, dir := range dirs {
		if abandoned(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// abandoned reports whether no process holds a directory's lock. A young directory does not count
// as abandoned, since its process may be about to lock it.
func abandoned(dir string) bool {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) { // its removal was interrupted
		info, err := os.Stat(dir)
		return err == nil && time.Since(info.ModTime()) > time.Hour
	}
	if err != nil { // it belongs to another user
		return false
	}
	defer func() { _ = lock.Close() }()
	if info, err := lock.Stat(); err != nil || time.Since(info.ModTime()) < time.Minute {
		return false
	}
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
