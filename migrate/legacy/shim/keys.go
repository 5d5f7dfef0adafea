package shim

import (
	"fmt"

	"github.com/scskit/scskit/migrate/legacy"
)

// nameOf returns the name of a key in the manager's session.
func nameOf(key any) string {
	for name := range legacy.StringKeys(map[any]any{key: nil}) {
		return name
	}
	return "" // unreachable: there is one key
}

func (s *Store) addKey(key any) {
	switch key.(type) {
	case nil:
		panic("shim: a key in Options.Keys is nil")
	case string:
		panic("shim: a key in Options.Keys is a string: leave it out")
	}
	name := nameOf(key)
	if _, ok := s.keys[name]; ok {
		panic(fmt.Sprintf("shim: two keys in Options.Keys are %q in the session", name))
	}
	s.keys[name] = key
}

// key returns the key in Values for a name in the manager's session.
func (s *Store) key(name string) any {
	if key, ok := s.keys[name]; ok {
		return key
	}
	return name
}

// strings returns Values with the names that its keys have in the manager's session.
func (s *Store) strings(values map[any]any) (map[string]any, error) {
	all := make(map[string]any, len(values))
	for key, value := range values {
		name := nameOf(key)
		known, named := s.keys[name]
		if _, isString := key.(string); !isString && (!named || known != key) {
			return nil, fmt.Errorf("the key %q of Values is not a string: name it in Options.Keys", name)
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("two keys of Values are %q in the session", name)
		}
		all[name] = value
	}
	return all, nil
}
