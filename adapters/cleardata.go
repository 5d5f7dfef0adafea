package adapters

import (
	"fmt"
	"slices"
	"strings"
)

const clearSiteData = "Clear-Site-Data"

// ClearSiteData adds the header Clear-Site-Data to the response of a request that has destroyed its
// session. A browser then removes what it has stored for the site, so that the next person at the
// computer does not find the pages of the last one. Browsers obey it over HTTPS only.
//
// Directives are the names of what to remove: cache, cookies, storage, executionContexts,
// clientHints, prefetchCache, prerenderCache, or * for all of it. Without any, they are cache and
// storage. See https://www.w3.org/TR/clear-site-data/. Building the middleware panics if a name is
// unknown.
//
// The default has no cookies. That directive removes all cookies of the registrable domain, also
// those of other applications and hosts, and with them a session that a sign-in in another tab has
// just begun. The adapter deletes the session's own cookie in any case.
//
// There is no header if the handler has put something into the session after Destroy: it has begun
// a new one. What the handler has set in the header itself is kept.
func ClearSiteData(directives ...string) Option {
	if len(directives) == 0 {
		directives = []string{"cache", "storage"}
	}
	var quoted []string
	var err error
	for _, d := range directives {
		if !slices.Contains(siteData, d) {
			err = fmt.Errorf("the option ClearSiteData has the directive %q: use names of %s", d,
				strings.Join(siteData, ", "))
		}
		quoted = append(quoted, `"`+d+`"`)
	}
	return func(o *options) {
		o.clearSiteData, o.clearSiteDataErr = strings.Join(quoted, ", "), err
	}
}

var siteData = []string{
	"cache", "cookies", "storage", "executionContexts", "clientHints", "prefetchCache",
	"prerenderCache", "*",
}
