package stores_test

import (
	"strings"
	"testing"

	"github.com/scskit/scskit/internal/storeurl"
)

// FuzzParse parses hostile URLs. None may panic, and no error may quote the password.
func FuzzParse(f *testing.F) {
	const password = "pa55w0rd-0f-the-backend"
	for _, seed := range [][3]string{
		{"redis", "user", "@host:6379/2?prefix=a:"}, {"rediss", "", "@[::1]:6379?tls_ca=/x"},
		{"redis+cluster", "user", "@a:1,b:2,c?client_name=%20"}, {"redis+sentinel", "u", "@a:1,b/m/0"},
		{"postgres", "user", "@/db?host=/tmp"}, {"mysql", "user", "@tcp(host:3306)/db?table=a"},
		{"mongodb", "user", "@a,b/db?replicaSet=x"}, {"mongodb+srv", "user", "@host/db"},
		{"dynamodb", "key", "@eu/table?endpoint=http://x"}, {"sqlite", "a", "%zz?sweep=1h"},
		{"postgres", "user", "/@host/db"}, {"redis", "user", "#@host"}, {"redis", "us er", "%@host"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, scheme, user, rest string) {
		rawURL := scheme + "://" + user + ":" + password + rest
		u, err := storeurl.Parse(rawURL)
		switch {
		case err == nil && u == nil:
			t.Errorf("%q: no URL and no error", rawURL)
		case err != nil && strings.Contains(err.Error(), password) &&
			!strings.Contains(scheme, ":") && !strings.HasPrefix(scheme, "sqlite"):
			t.Errorf("%q: the error quotes the password: %v", rawURL, err)
		}
	})
}
