package moving

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/internal/testenv"
)

// railsSessions reads sessions of a Rails application on redis-session-store, with its serializer
// for JSON. The cookie has Rack's public id, and the key in Redis the private one.
type railsSessions struct {
	client *redis.Client
	prefix string // redis.key_prefix of the Rails application
}

func (railsSessions) CookieNames() []string { return []string{"_app_session"} }

func (railsSessions) SessionID(cookies []*http.Cookie) string { return cookies[0].Value }

func (s railsSessions) ReadSession(
	ctx context.Context, id string, _ []*http.Cookie,
) (*adapters.LegacySession, error) {
	hash := sha256.Sum256([]byte(id))
	key := s.prefix + "2::" + hex.EncodeToString(hash[:])
	data, err := s.client.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	old := &adapters.LegacySession{
		Expire: []*http.Cookie{{Name: "_app_session"}},
		Forget: func(ctx context.Context) error { return s.client.Del(ctx, key).Err() },
	}
	if err := json.Unmarshal(data, &old.Values); err != nil {
		return nil, err
	}
	old.Values["user"] = old.Values["user_id"]
	return old, nil
}

func TestRails(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: testenv.Redis(t)})
	defer client.Close()
	rails := railsSessions{client, testenv.Name(t) + ":"}
	const id = "7f3c9d5f0a1b4c6e8d2a1f0b9c8e7d6a"
	hash := sha256.Sum256([]byte(id))
	key := rails.prefix + "2::" + hex.EncodeToString(hash[:])
	err := client.Set(t.Context(), key, `{"user_id":"ada","_csrf_token":"x"}`, time.Hour).Err()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(manager(newBackend(t),
		adapters.Adopt(rails, adapters.AdoptOptions{})))
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	at, _ := url.Parse(server.URL)
	jar.SetCookies(at, []*http.Cookie{{Name: "_app_session", Value: id, Path: "/"}})
	u := &user{T: t, name: "ada", client: &http.Client{Jar: jar}, url: server.URL}
	for range 2 {
		u.get("/", "ada")
	}
	if n := client.Exists(t.Context(), key).Val(); n != 0 || u.cookies()["_app_session"] != "" {
		t.Errorf("%d old records, cookies %v, want none", n, u.cookies())
	}
}
