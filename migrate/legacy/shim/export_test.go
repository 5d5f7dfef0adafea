package shim

// States returns how many sessions the store knows.
func (s *Store) States() (n int) {
	s.states.Range(func(any, any) bool { n++; return true })
	return n
}
