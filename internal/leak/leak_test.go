package leak

import (
	"strings"
	"testing"
)

func TestScanner(t *testing.T) {
	token := strings.Repeat("Ab-_9", 9)[:size]
	Note(token) // before Enable
	if n := Count(); n != 0 {
		t.Errorf("%d tokens are noted before Enable", n)
	}
	Enable()
	Note(token)
	Note(token[:20])
	if n := Count(); n != 1 {
		t.Errorf("%d tokens are noted, want 1", n)
	}
	long := strings.Repeat("x", 100_000)
	for text, want := range map[string]int{
		"":                                0,
		token:                             1,
		"session=" + token + "; Path=/":   1,
		"xx" + token + "yy\n" + token:     2,
		token[:42] + "\n" + token[42:]:    0,
		token[1:] + "x " + token[:42]:     0,
		long + token + long + " " + token: 2,
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			var s Scanner
			for i := 0; i < len(text); i += step {
				if _, err := s.Write([]byte(text[i:min(i+step, len(text))])); err != nil {
					t.Fatal(err)
				}
			}
			if s.Found != want {
				t.Errorf("%.60q in steps of %d: found %d, want %d", text, step, s.Found, want)
			}
		}
	}
}
