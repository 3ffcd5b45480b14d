package scale

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/driver/pgdriver"

	_ "github.com/bindery-go/bindery/binds/mysqlbind"
	_ "github.com/bindery-go/bindery/binds/pgbind"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
)

// An opener opens a number of binds. What it needs is made in dir, and made ready before it is timed.
type opener struct {
	name  string
	ready func(dir string, n int, addr string) (open opening, err error)
}

// opening opens what was made ready.
type opening struct {
	parse func(context.Context) error // reads the configuration alone; nil if there is none
	open  func(context.Context) (close func() error, err error)
}

// openers are what is opened, bindery's first.
var openers = []opener{
	{"SQLite files", file(func(b *strings.Builder, dir string, i int, _ string) {
		fmt.Fprintf(b, "[binds.b%d]\nwriter = %q\n", i, "sqlite://"+filepath.Join(dir, fmt.Sprintf("b%d.db", i)))
	})},
	{"PostgreSQL, primary + 2", file(servers("postgres"))},
	{"MariaDB, primary + 2", file(servers("mariadb"))},
	{byHand, func(_ string, n int, addr string) (opening, error) {
		return opening{open: func(context.Context) (func() error, error) { return openByHand(n, addr) }}, nil
	}},
}

// byHand is what a program without bindery opens.
const byHand = "three `*sql.DB` and a `*bun.DB`, PostgreSQL"

// file opens binds from a TOML file, into which bind writes one of them.
func file(bind func(b *strings.Builder, dir string, i int, addr string)) func(string, int, string) (opening, error) {
	return func(dir string, n int, addr string) (opening, error) {
		var text strings.Builder
		text.WriteString("[defaults]\nlazy = true\n")
		for i := range n {
			bind(&text, dir, i, addr)
		}
		path := filepath.Join(dir, "config.toml")
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			return opening{}, err
		}
		return opening{
			parse: func(context.Context) error {
				_, err := manager.LoadConfig(path)
				return err
			},
			open: func(ctx context.Context) (func() error, error) {
				m, err := manager.Open(ctx, path, manager.WithLogger(slog.New(slog.DiscardHandler)))
				if err != nil {
					return nil, err
				}
				return m.Close, nil
			},
		}, nil
	}
}

// servers writes a bind of three servers, all at one address.
func servers(scheme string) func(*strings.Builder, string, int, string) {
	return func(b *strings.Builder, _ string, i int, addr string) {
		uri := fmt.Sprintf("%s://app:secret@%s/b%d", scheme, addr, i)
		fmt.Fprintf(b, "[binds.b%d]\nwriter = %q\nreaders = [%q, %q]\n", i, uri, uri, uri)
	}
}

func openByHand(n int, addr string) (func() error, error) {
	var pools []*sql.DB
	dbs := make([]*bun.DB, n)
	for i := range dbs {
		for range 3 {
			pools = append(pools, sql.OpenDB(pgdriver.NewConnector(
				pgdriver.WithDSN(fmt.Sprintf("postgres://app:secret@%s/b%d?sslmode=disable", addr, i)))))
		}
		dbs[i] = bun.NewDB(pools[len(pools)-3], pgdialect.New())
	}
	return func() error {
		var errs []error
		for _, p := range pools {
			errs = append(errs, p.Close())
		}
		dbs = nil // they live as long as this function
		return errors.Join(errs...)
	}, nil
}

// opened is what it costs to open a number of binds and to close them.
type opened struct {
	parse, open, close time.Duration
	held               footprint // more than before
	touched            int       // connections made, or files
}

// measure opens n binds once.
func (o opener) measure(ctx context.Context, n int) (_ opened, err error) {
	dir, err := os.MkdirTemp("", "bench-scale")
	if err != nil {
		return opened{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	door, err := listen()
	if err != nil {
		return opened{}, err
	}
	defer func() { err = errors.Join(err, door.close()) }()
	what, err := o.ready(dir, n, door.addr())
	if err != nil {
		return opened{}, err
	}
	before, err := filesIn(dir)
	if err != nil {
		return opened{}, err
	}
	res, err := what.measure(ctx)
	if err != nil {
		return opened{}, fmt.Errorf("scale: open %d %s: %w", n, o.name, err)
	}
	after, err := filesIn(dir)
	res.touched = after - before + door.knocks()
	return res, err
}

func (what opening) measure(ctx context.Context) (res opened, err error) {
	before, err := look()
	if err != nil {
		return res, err
	}
	start := time.Now()
	closer, err := what.open(ctx)
	if err != nil {
		return res, err
	}
	res.open = time.Since(start)
	after, err := look()
	if err != nil {
		return res, errors.Join(err, closer())
	}
	res.held = after.since(before)
	start = time.Now()
	err = closer()
	res.close = time.Since(start)
	if err != nil || what.parse == nil {
		return res, err
	}
	start = time.Now()
	err = what.parse(ctx)
	res.parse = time.Since(start)
	return res, err
}

func filesIn(dir string) (int, error) {
	all, err := os.ReadDir(dir)
	return len(all), err
}
