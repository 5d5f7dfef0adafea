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

// The directory of this process for everything it starts. It holds a lock file that stays locked
// while the process lives, so that the next one can tell what a killed process left behind, and
// remove it.
var (
	homeMu   sync.Mutex
	homeDir  string
	homeLock *os.File
)

const homePrefix = "scskit-testenv-"

// newDir makes an empty directory that anyone may pass through, because some servers run as another
// user.
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

// home returns the directory of this process, once newDir has made it.
func home() string {
	homeMu.Lock()
	defer homeMu.Unlock()
	return homeDir
}

// removeHome removes the directory with all that is in it.
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

// removeLeftovers removes the directories of processes that are gone.
func removeLeftovers() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), homePrefix+"*"))
	for _, dir := range dirs {
		if abandoned(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// abandoned reports whether nobody holds a directory's lock. What is young may be about to be
// locked.
func abandoned(dir string) bool {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if err != nil { // another user's, or the rest of one that was being removed
		info, statErr := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist) && statErr == nil && time.Since(info.ModTime()) > time.Hour
	}
	defer func() { _ = lock.Close() }()
	if info, err := lock.Stat(); err != nil || time.Since(info.ModTime()) < time.Minute {
		return false
	}
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
