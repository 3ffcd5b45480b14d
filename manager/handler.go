package manager

import (
	"encoding/json"
	"io/fs"
	"net/http"

	"github.com/bindery-go/bindery/manager/internal/page"
)

// A HandlerOption says what [DBManager.Handler] shows besides.
type HandlerOption func(*statusPage)

// CheckModels has /ready, /status.json and the page look for the tables and columns of models, too, as [DBManager.Check] does.
func CheckModels(models ...any) HandlerOption {
	return func(p *statusPage) { p.models = append(p.models, models...) }
}

// ShowMigrations has /status.json and the page show what is applied of the migrations in fsys, by the convention of [MigrationsFrom]. Binds
// without a directory there have none. The servers are asked every ten seconds at most, while somebody looks.
func ShowMigrations(fsys fs.FS) HandlerOption {
	return func(p *statusPage) { p.migrations.files = fsys }
}

// Handler returns pages about the binds, for GET and HEAD:
//
//	/live         200 while the program answers: for a liveness probe. No server is asked, since a restart of the program mends none
//	/ready        200 if all binds can do their work, else 503, see [Report.Ready]; a [PublicReport] as JSON, which anybody may see
//	/status.json  what the page shows, see docs/status.md
//	/             the status page: binds, engines, roles, versions, health, lag over the last five minutes, connections, decisions
//	              by reason, named locks, migrations, the last 100 lines of the manager's log. It updates itself every two seconds
//
// The page and status.json are for operators: they hold no password, no value of a statement and no URI, but servers' addresses, logins, versions, names of tables and
// locks. Put them behind a login, or on an address of the inside. The page is whole without anything from elsewhere. Under a prefix:
//
//	mux.Handle("/databases/", http.StripPrefix("/databases", m.Handler()))
//
// However many look, the servers are asked once every two seconds at most, and never while nobody does; lags are remembered from the first
// call of Handler on, by what the monitors find anyway. An answer takes 6 seconds at most. A closed manager is alive, and not ready. The handler is safe for concurrent use.
func (m *DBManager) Handler(opts ...HandlerOption) http.Handler {
	p := &statusPage{m: m}
	for _, opt := range opts {
		if opt != nil {
			opt(p)
		}
	}
	p.checker = m.Checker(0, p.models...)
	m.watchLag()
	m.countDecisions()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, req *http.Request) {
		r := p.checker.Check(req.Context())
		status := http.StatusOK
		if r.Ready() != nil {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, r.Public())
	})
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, req *http.Request) {
		writeJSON(w, http.StatusOK, p.status(req.Context()))
	})
	page.Register(mux)
	return uncached(mux)
}

// uncached lets no browser or proxy show what was, or take an answer for another kind of file.
func uncached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, req)
	})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "manager: status: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who asked is gone, if this fails
}
