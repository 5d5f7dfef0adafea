package testenv

import "syscall"

// attributes puts a program into a process group of its own, so that a Ctrl-C at the terminal
// reaches only the tests, which then stop it in order; and has the kernel kill it when this process
// dies without doing that.
func attributes(user *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid}
	}
	return attr
}
