package leak

import (
	"io"
	"os"
	"syscall"
)

// Output passes on what the process prints from now on, and looks for tokens in it, whoever prints:
// package log, slog, a framework or a client library. done ends that and returns how many tokens
// were printed.
func Output() (done func() int, err error) {
	Enable()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	var originals [2]*os.File
	for i, fd := range []int{1, 2} {
		saved, err := syscall.Dup(fd)
		if err != nil {
			return nil, err
		}
		originals[i] = os.NewFile(uintptr(saved), "output")
	}
	// Both become the original standard output: go test merges them anyway.
	for _, fd := range []int{1, 2} {
		if err := syscall.Dup3(int(w.Fd()), fd, 0); err != nil {
			return nil, err
		}
	}
	var s Scanner
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(io.MultiWriter(originals[0], &s), r)
	}()
	return func() int {
		for i, fd := range []int{1, 2} {
			_ = syscall.Dup3(int(originals[i].Fd()), fd, 0)
		}
		_ = w.Close()
		<-copied
		return s.Found
	}, nil
}
