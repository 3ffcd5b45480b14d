package manager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// Accounts marks the models of the accounts database.
type Accounts struct{}

func (Accounts) BindKey() binds.Key { return "accounts" }

type User struct {
	bun.BaseModel `bun:"table:users"`
	Accounts

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

// exampleManager opens two binds of SQLite files in a folder of their own.
func exampleManager(opts ...manager.Option) (m *manager.DBManager, done func()) {
	dir, err := os.MkdirTemp("", "bindery-*")
	if err != nil {
		panic(err)
	}
	m, err = manager.New(context.Background(), &manager.Config{Binds: []manager.BindConfig{
		{Key: "accounts", Writer: binds.NewURI("sqlite://" + filepath.ToSlash(dir) + "/accounts.db")},
		{Key: "audit", Writer: binds.NewURI("sqlite://" + filepath.ToSlash(dir) + "/audit.db")},
	}}, opts...)
	if err != nil {
		panic(err)
	}
	if _, err := m.NewCreateTable((*User)(nil)).Exec(context.Background()); err != nil {
		panic(err)
	}
	return m, func() {
		_ = m.Close()
		_ = os.RemoveAll(dir)
	}
}

func Example() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	if _, err := m.NewInsert(&User{Name: "Alice"}).Exec(ctx); err != nil {
		panic(err)
	}
	var users []User
	ctx, route := router.Explain(ctx)
	if err := m.NewSelect(&users).Where("name = ?", "Alice").Scan(ctx); err != nil {
		panic(err)
	}
	fmt.Println(users[0].Name, "from", route.Engine())
	// Output: Alice from accounts/reader-1
}

func ExampleLoadConfig() {
	dir, err := os.MkdirTemp("", "bindery-*")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "config.toml")
	text := `
[binds.accounts]
writer = "mysql://app:s3cret@db1/accounts"
polcy  = "random"
pool   = { max_lifetime = "30" }
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		panic(err)
	}
	_, err = manager.LoadConfig(file)
	fmt.Println(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	// Output:
	// config.toml:3: binds.accounts.writer: no driver for scheme "mysql" (forgotten import of mysqlbind?)
	// config.toml:4: binds.accounts.polcy: unknown key (did you mean "policy"?)
	// config.toml:5: binds.accounts.pool.max_lifetime: must be a duration such as "30s" or "5m", or "off"
}

func ExampleDBManager_Bind() {
	m, done := exampleManager()
	defer done()
	accounts, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	err = accounts.DB().RunInTx(context.Background(), nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&User{Name: "Bob"}).Exec(ctx)
		return err
	})
	fmt.Println(accounts.Key(), err)
	_, err = m.Bind(binds.Key("acounts"))
	fmt.Println(err)
	// Output:
	// accounts <nil>
	// binds: unknown bind "acounts" (have "accounts", "audit")
}

func ExampleBind_Reader() {
	m, done := exampleManager()
	defer done()
	accounts, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	_, err = accounts.Reader().NewInsert().Model(&User{Name: "Bob"}).Exec(context.Background())
	fmt.Println(err)
	// Output: router: a statement that is not a plain read was given to the Reader() of bind "accounts": use its DB() or Writer()
}

func ExampleDBManager_NewRaw() {
	m, done := exampleManager()
	defer done()
	ctx, route := router.Explain(context.Background())
	var n int
	if err := m.NewRaw(Accounts{}, "SELECT count(*) FROM users").Scan(ctx, &n); err != nil {
		panic(err)
	}
	fmt.Println(n, route)
	if _, err := m.NewRaw(Accounts{}, "UPDATE users SET name = ?", "Bob").Exec(ctx); err != nil {
		panic(err)
	}
	fmt.Println(route)
	// Output:
	// 0 accounts/reader-1 (read, plain_read)
	// accounts/writer (write, write_text)
}

func ExampleSchemaError() {
	m, done := exampleManager()
	defer done()
	type newUser struct { // a field that the table does not have yet
		bun.BaseModel `bun:"table:users"`
		Accounts

		ID    int64 `bun:",pk,autoincrement"`
		Email string
	}
	var missing *manager.SchemaError
	if errors.As(m.Check(context.Background(), (*newUser)(nil)).Ready(), &missing) {
		fmt.Printf("%s: %s.%s\n", missing.Engine, missing.Table, missing.Column)
		fmt.Println(missing.Reason)
	}
	// Output:
	// accounts/writer: users.email
	// the column of field Email is missing: add it by a migration, or take the field out (bun:"-")
}

func ExampleDBManager_Check() {
	m, done := exampleManager()
	defer done()
	r := m.Check(context.Background(), (*User)(nil), (*Entry)(nil))
	for _, b := range r.Binds {
		for _, e := range b.Engines {
			fmt.Println(e.Engine, e.Freshness, e.Err)
		}
	}
	fmt.Println(r.Err())
	// Output:
	// accounts/writer shared <nil>
	// accounts/reader-1 shared <nil>
	// audit/writer shared <nil>
	// audit/reader-1 shared <nil>
	// manager: check bind "audit": the table "entries" of model manager_test.Entry is missing: call CreateTables, or run the migrations
}

// A page that tells anybody how the databases are, and the log why.
func ExampleReport_Public() {
	m, done := exampleManager()
	defer done()
	health := func(w http.ResponseWriter, req *http.Request) {
		report := m.Check(req.Context())
		if err := report.Ready(); err != nil {
			slog.Error("not ready", "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(report.Public()) // the client may have gone
	}
	page := httptest.NewRecorder()
	health(page, httptest.NewRequest(http.MethodGet, "/health", nil))
	var shown manager.PublicReport
	if err := json.Unmarshal(page.Body.Bytes(), &shown); err != nil {
		panic(err)
	}
	fmt.Println(page.Code, shown.Ready)
	for _, e := range shown.Binds[0].Engines {
		fmt.Println(e.Engine, e.Role, e.Status)
	}
	// Output:
	// 200 true
	// accounts/writer writer ok
	// accounts/reader-1 reader ok
}

// Audit marks the models of the audit database.
type Audit struct{}

func (Audit) BindKey() binds.Key { return "audit" }

// Entry has an index beyond its primary key.
type Entry struct {
	bun.BaseModel `bun:"table:entries"`
	Audit

	ID   int64 `bun:",pk,autoincrement"`
	At   time.Time
	Text string
}

func (*Entry) Indexes(index func(name string) *bun.CreateIndexQuery) {
	index("entries_at").Column("at")
}

func ExampleDBManager_CreateTables() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	for range 2 { // again, or in a thousand processes: nothing happens twice
		fmt.Println(m.CreateTables(ctx, (*Entry)(nil), (*User)(nil)))
	}
	type Stray struct {
		User
		Audit
	}
	fmt.Println(m.CreateTables(ctx, (*Stray)(nil)))
	// Output:
	// <nil>
	// <nil>
	// manager: table of model manager_test.Stray: binds: model manager_test.Stray has 2 markers, manager_test.Accounts (bind "accounts", as User.Accounts) and manager_test.Audit (bind "audit", as Audit): keep one
}

func ExampleDBManager_ResetTables() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	if _, err := m.NewInsert(&User{Name: "Alice"}).Exec(ctx); err != nil {
		panic(err)
	}
	fmt.Println(m.ResetTables(ctx, (*User)(nil)))
	n, err := m.NewSelect((*User)(nil)).Count(ctx)
	fmt.Println(n, err)
	// Output:
	// <nil>
	// 0 <nil>
}

// A transaction of Bun's own goes past the router; with a guard it keeps to its bind all the same.
func ExampleWithGuard() {
	ctx := context.Background()
	m, done := exampleManager(manager.WithGuard())
	defer done()
	bind, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	err = bind.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(new(Entry)).Exec(ctx)
		return err
	})
	fmt.Println(err)
	// Output: router: model manager_test.Entry lives in bind "audit" but was queried on bind "accounts": use the manager's own builders, or the DB of bind "audit"
}

func ExampleWithPolicy() {
	m, done := exampleManager(manager.WithPolicy(Accounts{}, new(router.RoundRobin)))
	defer done()
	fmt.Println(m.Binds())
	// Output: [accounts audit]
}
