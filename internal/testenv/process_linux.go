package testenv

import "syscall"

// attributes puts a program into a process group of its own: a Ctrl-C at the terminal reaches only
// the tests, which then stop the program. The kernel kills the program if this process dies first.
func attributes(user *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid}
	}
	return attr
}
