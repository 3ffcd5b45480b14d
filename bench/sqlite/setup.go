package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver of all setups, here by its own name

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
)

// connections is how many a tuned setup may have to its file, whatever their roles.
const connections = 16

// The parameters of a tuned file, as the driver's documentation and most guides give them.
const (
	tuned     = "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	immediate = "&_txlock=immediate"
)

// The setups' names.
const (
	bindery    = "bindery"
	firstTry   = "one pool, nothing tuned"
	onePool    = "one tuned WAL pool"
	oneUrgent  = "one tuned WAL pool, BEGIN IMMEDIATE"
	twoPools   = "two tuned WAL pools by hand"
	perDefault = "no limit"
)

// A setup is one way to use a SQLite file.
type setup struct {
	name  string
	begin string // how its transactions begin
	waits string // for how long it waits for another connection's lock
	conns string
	open  func(ctx context.Context, file string) (*store, error)
}

// setups are what is compared, bindery first: the others are measured against it.
var setups = []setup{
	{bindery, "IMMEDIATE", "5 s", fmt.Sprintf("1 writes, %d read", connections-1), openBindery},
	{firstTry, "DEFERRED", "not at all", perDefault, func(_ context.Context, file string) (*store, error) {
		return openOne("file:"+file, 0)
	}},
	{onePool, "DEFERRED", "5 s", fmt.Sprint(connections), func(_ context.Context, file string) (*store, error) {
		return openOne("file:"+file+tuned, connections)
	}},
	{oneUrgent, "IMMEDIATE", "5 s", fmt.Sprint(connections), func(_ context.Context, file string) (*store, error) {
		return openOne("file:"+file+tuned+immediate, connections)
	}},
	{twoPools, "IMMEDIATE", "5 s", fmt.Sprintf("1 writes, %d read", connections-1), openTwo},
}

// A store is an open file. All setups build their statements with Bun.
type store struct {
	builders
	inTx  func(ctx context.Context, fn func(context.Context, builders) error) error
	all   []*bun.DB // every pool's, that of writes first
	close func() error
}

// builders start Bun's queries on a model.
type builders struct {
	sel func(model any) *bun.SelectQuery
	upd func(model any) *bun.UpdateQuery
}

func selectOn(db bun.IDB) func(any) *bun.SelectQuery {
	return func(model any) *bun.SelectQuery { return db.NewSelect().Model(model) }
}

func updateOn(db bun.IDB) func(any) *bun.UpdateQuery {
	return func(model any) *bun.UpdateQuery { return db.NewUpdate().Model(model) }
}

// runInTx runs transactions as Bun does.
func runInTx(db *bun.DB) func(context.Context, func(context.Context, builders) error) error {
	return func(ctx context.Context, fn func(context.Context, builders) error) error {
		return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			return fn(ctx, builders{selectOn(tx), updateOn(tx)})
		})
	}
}

func openBindery(ctx context.Context, file string) (*store, error) {
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{
		Writer: binds.NewURI("sqlite://" + file),
		Pool:   binds.Pool{MaxOpen: connections - 1}, // of the readers: the writer has one of its own
	}}})
	if err != nil {
		return nil, err
	}
	bind, err := m.Bind(binds.Key(""))
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	b := builders{m.NewSelect, m.NewUpdate}
	return &store{
		builders: b,
		inTx: func(ctx context.Context, fn func(context.Context, builders) error) error {
			return m.InTx(ctx, bind.Key(), func(ctx context.Context) error { return fn(ctx, b) })
		},
		all:   []*bun.DB{bind.Writer(), bind.Reader()},
		close: m.Close,
	}, nil
}

// openOne opens a file as one pool. Without a limit it is database/sql's default: as many
// connections as are asked for, two of them kept.
func openOne(dsn string, limit int) (*store, error) {
	db, err := openPool(dsn, limit)
	if err != nil {
		return nil, err
	}
	return &store{
		builders: builders{selectOn(db), updateOn(db)},
		inTx:     runInTx(db),
		all:      []*bun.DB{db},
		close:    db.Close,
	}, nil
}

// openTwo opens a file as the best informed write it: one connection that writes, and readers that
// cannot. The program chooses between them at each statement.
func openTwo(_ context.Context, file string) (*store, error) {
	writer, err := openPool("file:"+file+tuned+immediate, 1)
	if err != nil {
		return nil, err
	}
	readers, err := openPool("file:"+file+tuned+"&_query_only=1", connections-1)
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return &store{
		builders: builders{selectOn(readers), updateOn(writer)},
		inTx:     runInTx(writer),
		all:      []*bun.DB{writer, readers},
		close:    func() error { return errors.Join(writer.Close(), readers.Close()) },
	}, nil
}

func openPool(dsn string, limit int) (*bun.DB, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	if limit > 0 {
		pool.SetMaxOpenConns(limit)
		pool.SetMaxIdleConns(limit)
	}
	return bun.NewDB(pool, sqlitedialect.New()), nil
}

// create makes a setup's file, in a directory of its own, with its tables and rows.
func create(ctx context.Context, s setup, dir string) (*store, error) {
	st, err := s.open(ctx, filepath.Join(dir, "app.db"))
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, st.all[0]); err != nil {
		return nil, errors.Join(err, st.close())
	}
	return st, nil
}

// pragma asks the connections of every pool for a setting, which they must agree on.
func (s *store) pragma(ctx context.Context, name string) (string, error) {
	var agreed string
	for i, db := range s.all {
		var value string
		if err := db.DB.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value); err != nil {
			return "", err
		}
		if i > 0 && value != agreed {
			return "", fmt.Errorf("sqlite: %s is %s for writes and %s for reads", name, agreed, value)
		}
		agreed = value
	}
	return agreed, nil
}
