// Package leak finds the tokens of a test run in what the run prints.
package leak

import (
	"sync"
	"sync/atomic"
)

// size is the length of a token of scs. Longer ones are recognised by their beginning.
const size = 43

var (
	enabled atomic.Bool
	tokens  sync.Map // the first size bytes of each noted token
)

// Enable makes Note keep tokens.
func Enable() { enabled.Store(true) }

// Note keeps a token that must not be printed, if Enable was called.
func Note(token string) {
	if enabled.Load() && len(token) >= size {
		tokens.Store(token[:size], true)
	}
}

// Count returns how many tokens were noted.
func Count() (n int) {
	tokens.Range(func(any, any) bool { n++; return true })
	return n
}

// Scanner looks for tokens in a stream. Its zero value is ready to use.
type Scanner struct {
	run   []byte // the characters of a token at the end of the stream so far
	Found int    // the number of tokens found
}

// Write implements io.Writer.
func (s *Scanner) Write(b []byte) (int, error) {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			s.run = append(s.run, c)
			if len(s.run) < size {
				continue
			}
			if _, ok := tokens.Load(string(s.run[len(s.run)-size:])); ok {
				s.Found++
			}
			if len(s.run) > 1<<16 {
				s.run = append(s.run[:0], s.run[len(s.run)-size:]...)
			}
		default:
			s.run = s.run[:0]
		}
	}
	return len(b), nil
}
