package moving

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	ginsessions "github.com/gin-contrib/sessions"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// access is what the handlers of the test need of any session.
type access interface {
	get(key string) any
	set(key string, value any)
	save() error
}

type scsSession struct {
	sm  *scs.SessionManager
	ctx context.Context
}

func (s scsSession) get(k string) any    { return s.sm.Get(s.ctx, k) }
func (s scsSession) set(k string, v any) { s.sm.Put(s.ctx, k, v) }
func (s scsSession) save() error         { return nil }

type gorillaSession struct {
	s     *sessions.Session
	store func() error
}

func (s gorillaSession) get(k string) any    { return s.s.Values[k] }
func (s gorillaSession) set(k string, v any) { s.s.Values[k] = v }
func (s gorillaSession) save() error         { return s.store() }

type ginSession struct{ s ginsessions.Session }

func (s ginSession) get(k string) any    { return s.s.Get(k) }
func (s ginSession) set(k string, v any) { s.s.Set(k, v) }
func (s ginSession) save() error         { return s.s.Save() }

// Cart is a type of an application.
type Cart struct{ Items []string }

func init() {
	gob.Register(Cart{})
	gob.Register([]string{})
	gob.Register(time.Time{})
}

// examples are values that a session holds.
func examples(user string) map[string]any {
	return map[string]any{
		"visits": len(user), "premium": true, "rate": 2.5, "roles": []string{"reader", user},
		"since": time.Date(2024, 2, 29, 12, 0, 0, 1000, time.UTC), "cart": Cart{[]string{"tea"}},
		"name": user + " Lovelace", "ünïcode": "✓",
	}
}

// jsonValues is a serializer for the cookie store. JSON has no map[any]any.
type jsonValues struct{}

func (jsonValues) Serialize(src any) ([]byte, error) {
	values := make(map[string]any)
	for k, v := range src.(map[any]any) {
		values[k.(string)] = v
	}
	return json.Marshal(values)
}

func (jsonValues) Deserialize(data []byte, dst any) error {
	to, ok := dst.(*map[any]any)
	if !ok {
		return fmt.Errorf("the cookie holds no %T", dst)
	}
	values := make(map[string]any)
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	for k, v := range values {
		(*to)[k] = v
	}
	return nil
}

// text shows the values of a session.
func text(get func(key string) any) string {
	var lines []string
	for key := range examples("") {
		lines = append(lines, fmt.Sprintf("%s: %T %v", key, get(key), get(key)))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func fill(w http.ResponseWriter, r *http.Request, s access) {
	for key, value := range examples(r.FormValue("user")) {
		s.set(key, value)
	}
	if err := s.save(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func show(w http.ResponseWriter, s access) { _, _ = io.WriteString(w, text(s.get)) }

// values adds the handlers of the test.
func values(mux *http.ServeMux, of func(http.ResponseWriter, *http.Request) access) {
	mux.HandleFunc("POST /values", func(w http.ResponseWriter, r *http.Request) {
		fill(w, r, of(w, r))
	})
	mux.HandleFunc("GET /values", func(w http.ResponseWriter, r *http.Request) { show(w, of(w, r)) })
}

// manager is an application on scskit and net/http.
func manager(backend *scskit.Store, opts ...adapters.Option) http.Handler {
	sm := scskit.New(backend)
	sm.Cookie.Name = "id"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, sm.GetString(r.Context(), "user"))
	})
	values(mux, func(_ http.ResponseWriter, r *http.Request) access {
		return scsSession{sm, r.Context()}
	})
	return scshttp.LoadAndSave(sm, opts...)(mux)
}
