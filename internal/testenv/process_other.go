//go:build unix && !linux

package testenv

import "syscall"

// attributes puts a program into a process group of its own: a Ctrl-C at the terminal reaches only
// the tests, which then stop the program.
func attributes(user *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid}
	}
	return attr
}
