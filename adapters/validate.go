package adapters

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
)

// validate returns an error that names the setting and the fix.
func (l *Lifecycle) validate() error {
	sm := l.sm
	switch {
	case sm == nil:
		return errors.New("the session manager is nil: make one with scskit.New(store)")
	case sm.Store == nil:
		return errors.New("SessionManager.Store is nil: make the manager with scskit.New(store)")
	case sm.Codec == nil:
		return errors.New("SessionManager.Codec is nil: make the manager with scskit.New(store)")
	case l.opts.commitTimeout <= 0:
		return fmt.Errorf("the option CommitTimeout is %v: it must be positive", l.opts.commitTimeout)
	case sm.Lifetime <= 0:
		return fmt.Errorf("SessionManager.Lifetime is %v: it must be positive", sm.Lifetime)
	case sm.IdleTimeout < 0:
		return fmt.Errorf("SessionManager.IdleTimeout is %v: it must be positive, or 0 for no timeout",
			sm.IdleTimeout)
	case sm.IdleTimeout > sm.Lifetime:
		return fmt.Errorf("SessionManager.IdleTimeout is %v, but SessionManager.Lifetime ends every "+
			"session after %v: set a shorter IdleTimeout or a longer Lifetime", sm.IdleTimeout, sm.Lifetime)
	}
	if s, ok := sm.Store.(*scskit.Store); ok && s == nil {
		return errors.New("SessionManager.Store is a nil *scskit.Store: check the error that the " +
			"store's constructor returned")
	}
	if l.opts.clearSiteDataErr != nil {
		return l.opts.clearSiteDataErr
	}
	if l.opts.hostCookie {
		if err := makeHostCookie(&sm.Cookie); err != nil {
			return err
		}
	}
	carries := false
	s, ok := scskit.StoreOf(sm.Store)
	if ok {
		if err := validateStore(sm, s); err != nil {
			return err
		}
		_, carries = s.CookieName()
	}
	if err := l.validateRenewal(s, carries); err != nil {
		return err
	}
	if err := l.validateAdopt(s, carries); err != nil {
		return err
	}
	if err := l.validateLock(s, carries); err != nil {
		return err
	}
	if err := l.validateTransports(carries); err != nil {
		return err
	}
	if !l.opts.hasCookie() {
		return nil
	}
	return validateCookie(sm)
}

// validateStore compares the manager's settings with those of s, which is its store or inside it.
func validateStore(sm *scs.SessionManager, s *scskit.Store) error {
	if _, ok := sm.Store.(scs.CtxStore); !ok {
		return fmt.Errorf("SessionManager.Store is a %T, which wraps a *scskit.Store but has no methods "+
			"with a context: embed the *scskit.Store, or add FindCtx, CommitCtx and DeleteCtx", sm.Store)
	}
	if touch := s.TouchInterval(); sm.IdleTimeout > 0 && touch > sm.IdleTimeout {
		return fmt.Errorf("the store's Options.TouchInterval is %v, but SessionManager.IdleTimeout is "+
			"%v: idle sessions would live more than twice as long; set a shorter TouchInterval",
			touch, sm.IdleTimeout)
	}
	if sm.HashTokenInStore {
		return errors.New("SessionManager.HashTokenInStore is true, but the store hashes tokens " +
			"itself: set it to false")
	}
	if name, ok := s.CookieName(); ok && name != sm.Cookie.Name {
		return fmt.Errorf("SessionManager.Cookie.Name is %q, but the store seals sessions for a "+
			"cookie %q: set the store's Options.CookieName to %[1]q", sm.Cookie.Name, name)
	}
	manager, store := fmt.Sprintf("%T", sm.Codec), fmt.Sprintf("%T", s.Codec())
	if manager != store {
		return fmt.Errorf("SessionManager.Codec is a %s, but the store's is a %s: make the manager "+
			"with scskit.New(store), or set the store's Options.Codec", manager, store)
	}
	return nil
}

// validateCookie rejects cookies that browsers would reject or treat differently from their
// settings.
func validateCookie(sm *scs.SessionManager) error {
	const setting = "SessionManager.Cookie."
	c := sm.Cookie
	switch {
	case c.Name == "":
		return errors.New(setting + "Name is empty: set one, such as session")
	case len(c.Name)+tokenBytes > maxCookieBytes:
		return fmt.Errorf(setting+"Name is %d bytes long, and browsers accept at most %d for name and "+
			"value: set a shorter name", len(c.Name), maxCookieBytes)
	case len(c.Path) > maxAttributeBytes:
		return fmt.Errorf(setting+"Path is %d bytes long, and browsers ignore one over %d: set a "+
			"shorter path", len(c.Path), maxAttributeBytes)
	case len(c.Domain) > maxAttributeBytes:
		return fmt.Errorf(setting+"Domain is %d bytes long, and browsers ignore one over %d: set a "+
			"shorter domain", len(c.Domain), maxAttributeBytes)
	case c.Path != "" && c.Path[0] != '/':
		return fmt.Errorf(setting+"Path is %q, and browsers ignore a path without a leading slash: set "+
			"%q", c.Path, "/"+c.Path)
	case sm.Lifetime > maxCookieAge:
		return fmt.Errorf("SessionManager.Lifetime is %v, and browsers keep a cookie for at most 400 "+
			"days: set at most %v", sm.Lifetime, maxCookieAge)
	}
	if err := validateAttributes(baseCookie(sm), setting, "Cookie."); err != nil {
		return err
	}
	value := strings.Repeat("x", tokenBytes)
	sample := sessionCookie(baseCookie(sm), value, time.Now().Add(time.Hour), true)
	if err := sample.Valid(); err != nil {
		return fmt.Errorf("SessionManager.Cookie is invalid: %w", err)
	}
	if c.Domain != "" && strings.ContainsAny(c.Domain, " ;,\x00") {
		return fmt.Errorf(setting+"Domain is %q: remove spaces, semicolons, commas and zero bytes",
			c.Domain)
	}
	return nil
}

// validateAttributes rejects cookies whose attributes contradict each other. setting is the prefix
// of a field in the error, and fix its prefix in the advice.
func validateAttributes(c *http.Cookie, setting, fix string) error {
	lower := strings.ToLower(c.Name) // browsers compare the prefixes in any case
	switch {
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return fmt.Errorf("%sSameSite is None, which browsers accept only from a secure cookie: set "+
			"%sSecure", setting, fix)
	case c.Partitioned && !c.Secure:
		return fmt.Errorf("%sPartitioned is true, which browsers accept only from a secure cookie: set "+
			"%sSecure", setting, fix)
	case strings.HasPrefix(lower, "__secure-") && !c.Secure:
		return fmt.Errorf("%sName is %q, and browsers accept that prefix only from a secure cookie: set "+
			"%sSecure", setting, c.Name, fix)
	case strings.HasPrefix(lower, "__host-") && (!c.Secure || c.Path != "/" || c.Domain != ""):
		return fmt.Errorf("%sName is %q, and browsers accept that prefix only with certain attributes: "+
			"set %[3]sSecure and %[3]sPath \"/\", and no %[3]sDomain", setting, c.Name, fix)
	}
	return nil
}
