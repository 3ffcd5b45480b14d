package sqlitebind_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/uptrace/bun"
	"modernc.org/sqlite"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/sqlitebind"
)

func Example() {
	ctx := context.Background()
	engine, err := binds.Open(ctx, "notes/writer", "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = engine.Close() }()

	type Note struct {
		ID   int64 `bun:",pk,autoincrement"`
		Text string
	}
	db := bun.NewDB(engine.DB(), engine.Driver().Dialect())
	if _, err := db.NewCreateTable().Model((*Note)(nil)).Exec(ctx); err != nil {
		fmt.Println(err)
		return
	}
	note := &Note{Text: "it's here"}
	if _, err := db.NewInsert().Model(note).Exec(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(note.ID, note.Text)
	// Output: 1 it's here
}

// One file serves two engines: a writer, and readers that cannot write.
func Example_file() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	writer, err := binds.Open(ctx, "shop/writer", "sqlite://"+filepath.Join(dir, "shop.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = writer.Close() }()
	reader := writer.Sibling("shop/reader-1", binds.As(binds.Reader))
	defer func() { _ = reader.Close() }()

	_, err = reader.DB().ExecContext(ctx, "CREATE TABLE orders (id INTEGER)")
	fmt.Println(reader.Classify(err), err)
	// Output: read_only attempt to write a readonly database (8)
}

func ExampleNew() {
	ctx := context.Background()
	shout := &sqlite.FunctionImpl{
		NArgs:         1,
		Deterministic: true,
		Scalar: func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			return strings.ToUpper(fmt.Sprint(args[0])) + "!", nil
		},
	}
	var drivers binds.Drivers
	drivers.Register(sqlitebind.New(sqlitebind.WithFunction("shout", shout)), "sqlite")
	engine, err := drivers.Open(ctx, "app/writer", "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = engine.Close() }()

	var s string
	if err := engine.DB().QueryRowContext(ctx, "SELECT shout('hello')").Scan(&s); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s)
	// Output: HELLO!
}

func ExampleMissingError() {
	ctx := context.Background()
	engine, err := binds.Open(ctx, "app/writer", "sqlite:///no/such/directory/app.db")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = engine.Close() }()
	fmt.Println(engine.Ping(ctx))
	// Output: binds: connect "app/writer": sqlitebind: no directory "/no/such/directory": create it, or add create_dir=1 to the URI
}

func ExampleDriver_Open() {
	_, err := binds.Open(context.Background(), "app/writer", "sqlite://app.db?busytimeout=1s")
	fmt.Println(err)
	_, err = binds.Open(context.Background(), "app/writer", "sqlite:app.db?busytimeout=1s")
	fmt.Println(err)
	// Output:
	// binds: open "app/writer": the URI names a host, and SQLite has none: write sqlite:///absolute/path or sqlite:relative/path
	// binds: open "app/writer": unknown parameter "busytimeout" (did you mean "busy_timeout"?)
}

// What a statement sets does not outlive its user's turn, but in a pool of one user's own.
func Example_sessionPool() {
	var drivers binds.Drivers
	drivers.Register(sqlitebind.New(), "sqlite")
	e, err := drivers.Open(context.Background(), "main", "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = e.Close() }()
	own := e.SessionPool()
	for _, db := range []*sql.DB{e.DB(), own} {
		var on bool
		_, err := db.Exec("PRAGMA foreign_keys = OFF")
		if err == nil {
			err = db.QueryRow("PRAGMA foreign_keys").Scan(&on)
		}
		fmt.Println(on, err)
	}
	fmt.Println(own.Close())
	// Output:
	// true <nil>
	// false <nil>
	// <nil>
}
