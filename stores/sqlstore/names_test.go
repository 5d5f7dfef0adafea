package sqlstore

import (
	"strings"
	"testing"
)

func TestTableNames(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"":                                  true,
		"sessions":                          true,
		"main.sessions":                     true,
		"_S9":                               true,
		"select":                            true,
		strings.Repeat("x", 50):             true,
		strings.Repeat("x", 51):             false,
		"9s":                                false,
		".s":                                false,
		"s.":                                false,
		"a.b.c":                             false,
		"a b":                               false,
		"sessions;":                         false,
		`s"`:                                false,
		`s"; DROP TABLE users; --`:          false,
		"s'":                                false,
		"s`":                                false,
		"[s]":                               false,
		"s--":                               false,
		"s/**/":                             false,
		"s\x00":                             false,
		"sessions\n":                        false,
		"séssions":                          false,
		"sessions(id)":                      false,
		"sessions WHERE 1=1":                false,
		"main.sessions; ATTACH 'x' AS y":    false,
		"{id}":                              false,
		"pragma_table_info('sqlite_master)": false,
	} {
		if _, err := parseName(name); (err == nil) != ok {
			t.Errorf("%q: error %v, want ok = %v", name, err, ok)
		}
	}
}
