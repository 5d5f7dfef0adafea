package faults_test

import (
	"net/http"
	"testing"

	"github.com/scskit/scskit"
)

// TestLostReply loses only the reply to a write. A client that retries finds its own first write.
// Whether the request succeeds depends on the client, but the response must match the session.
func TestLostReply(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, b target) {
		p := b.pace(t)
		s, n := b.site(t, p, scskit.Options{Timeout: p.watchdog()})

		// The first save of a session. An error response has no cookie.
		a := s.during(t, "/put", "", "first", "1", n.loseReply)
		t.Logf("create: %d %v", a.status, s.takeErrors())
		if a.status == http.StatusOK {
			token, _ := a.token()
			if got := s.must(t, "/get", token, nil).value(t); token == "" || got != "first" {
				t.Errorf("create: the response is a page with a cookie: %t; the session has %q",
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
			t.Errorf("save: status %d, but the session has %q", a.status, got)
		}

		// The renewal at a sign-in deletes the old record and creates a new one.
		for place, what := range map[string]string{"1": "renewal's delete", "2": "renewal's create"} {
			token := s.open(t, "before")
			a := s.during(t, "/signin", token, "after", place, n.loseReply)
			t.Logf("%s: %d %v", what, a.status, s.takeErrors())
			renewed, sent := a.token()
			switch {
			case a.status != http.StatusOK:
				a.refused(t)
			case !sent || renewed == token:
				t.Errorf("%s: the page has no new cookie", what)
			case renewed != "" && s.must(t, "/get", renewed, nil).value(t) != "after":
				t.Errorf("%s: the new cookie is not that of the session", what)
			}
			got := s.must(t, "/get", token, nil).value(t)
			if got == "after" || got != "" && a.status == http.StatusOK {
				t.Errorf("%s: status %d, but the session of the old cookie has %q",
					what, a.status, got)
			}
		}

		token = s.open(t, "before")
		a = s.during(t, "/signout", token, "", "1", n.loseReply)
		t.Logf("delete: %d %v", a.status, s.takeErrors())
		got = s.must(t, "/get", token, nil).value(t)
		if a.status != http.StatusOK {
			a.refused(t)
		} else if got != "" {
			t.Errorf("delete: the response is a page, but the session has %q", got)
		}
	})
}
