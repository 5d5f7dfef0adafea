package adapters

import (
	"fmt"
	"reflect"
)

// nested returns an error if l has an option that its outer middleware of the same manager does not
// have: that one has loaded the session, so the option would have no effect.
func (l *Lifecycle) nested(outer *Lifecycle) error {
	if l == outer {
		return nil
	}
	if name := l.opts.beyond(&outer.opts); name != "" {
		return fmt.Errorf("LoadAndSave has the option %s, but runs inside another LoadAndSave of the "+
			"same manager without it, which has loaded the session: give the option to the outer one, "+
			"or use LoadAndSave for each group of routes and not around them all", name)
	}
	return nil
}

// beyond returns the name of an option that is set in o and differs in outer, or "".
func (o *options) beyond(outer *options) string {
	for _, option := range []struct {
		name       string
		set, outer any
	}{
		{"Skip", o.skip, outer.skip},
		{"Lazy", o.lazy, outer.lazy},
		{"Strict", o.strict, outer.strict},
		{"OnError", o.onError, outer.onError},
		{"FailOpen", o.failOpen, outer.failOpen},
		{"Observe", o.observer, outer.observer},
		{"Logger", o.logger, outer.logger},
		{"RenewEvery", o.renewEvery, outer.renewEvery},
		{"Lock", o.lock, outer.lock},
		{"HostCookie", o.hostCookie, outer.hostCookie},
		{"CookiePerRequest", o.cookiePerRequest, outer.cookiePerRequest},
		{"ClearSiteData", o.clearSiteData, outer.clearSiteData},
		{"Adopt", o.adoptSet, outer.adoptSet},
		{"Limit", o.limits.Load, outer.limits.Load},
		{"Limit", o.limits.Unknown, outer.limits.Unknown},
		{"Limit", o.limits.Create, outer.limits.Create},
	} {
		set, outer := reflect.ValueOf(option.set), reflect.ValueOf(option.outer)
		if !set.IsZero() && !same(set, outer) {
			return option.name
		}
	}
	switch {
	case o.transportsSet && !reflect.DeepEqual(o.transports, outer.transports):
		return "Tokens"
	case o.commitTimeout != defaultCommitTimeout && o.commitTimeout != outer.commitTimeout:
		return "CommitTimeout"
	}
	return ""
}

// same compares functions by their code.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Func {
		return a.Pointer() == b.Pointer()
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
