package faults_test

import (
	"net/http"
	"testing"

	"github.com/scskit/scskit"
)

// The reply to a write is lost, and the network well again at once. A client that tries again then
// meets what it has written itself. Whether the request succeeds depends on the client, but what
// the browser is told must be so.
func TestLostReply(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, b target) {
		p := b.pace(t)
		s, n := b.site(t, p, scskit.Options{Timeout: p.watchdog()})

		// The first save of a session: its cookie comes with the response, or nothing does.
		a := s.during(t, "/put", "", "first", "1", n.loseReply)
		t.Logf("create: %d %v", a.status, s.takeErrors())
		if a.status == http.StatusOK {
			token, _ := a.token()
			if got := s.must(t, "/get", token, nil).value(t); token == "" || got != "first" {
				t.Errorf("create: the response is a page, with the cookie %t, and the session has %q",
					token != "", got)
			}
		} else {
			a.refused(t)
		}

		token := s.open(t, "before")
		a = s.during(t, "/put", token, "after", "1", n.loseReply)
		t.Logf("save: %d %v", a.status, s.takeErrors())
		got := s.must(t, "/get", token, nil).value(t)
		if a.status != http.StatusOK {
			a.refused(t)
		}
		if got != "after" && (a.status == http.StatusOK || got != "before") {
			t.Errorf("save: answered %d, but the session has %q", a.status, got)
		}

		// The renewal at a sign-in: its delete, and the creation of the new record.
		for place, what := range map[string]string{"1": "renewal's delete", "2": "renewal's create"} {
			token := s.open(t, "before")
			a := s.during(t, "/signin", token, "after", place, n.loseReply)
			t.Logf("%s: %d %v", what, a.status, s.takeErrors())
			renewed, sent := a.token()
			switch {
			case a.status != http.StatusOK:
				a.refused(t)
			case !sent || renewed == token:
				t.Errorf("%s: a page without a new cookie", what)
			case renewed != "" && s.must(t, "/get", renewed, nil).value(t) != "after":
				t.Errorf("%s: the new cookie opens nothing", what)
			}
			if got := s.must(t, "/get", token, nil).value(t); got == "after" || got != "" &&
				a.status == http.StatusOK {
				t.Errorf("%s: answered %d, and the old cookie opens %q", what, a.status, got)
			}
		}

		token = s.open(t, "before")
		a = s.during(t, "/signout", token, "", "1", n.loseReply)
		t.Logf("delete: %d %v", a.status, s.takeErrors())
		got = s.must(t, "/get", token, nil).value(t)
		if a.status != http.StatusOK {
			a.refused(t)
		} else if got != "" {
			t.Errorf("delete: answered with a page, but the session has %q", got)
		}
	})
}
