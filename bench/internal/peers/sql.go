package peers

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun/dialect"
)

// texts are the statements of whoever writes SQL by hand.
type texts struct{ get, lock, insert, update string }

func textsFor(name dialect.Name) (texts, error) {
	switch name {
	case dialect.PG:
		return texts{
			get:    "SELECT id, owner, version, name FROM items WHERE id = $1",
			lock:   "SELECT id, owner, version, name FROM items WHERE id = $1 FOR UPDATE",
			insert: "INSERT INTO items (id, owner, version, name) VALUES ($1, $2, $3, $4)",
			update: "UPDATE items SET owner = $1, version = $2, name = $3 WHERE id = $4",
		}, nil
	case dialect.MySQL:
		return texts{
			get:    "SELECT id, owner, version, name FROM items WHERE id = ?",
			lock:   "SELECT id, owner, version, name FROM items WHERE id = ? FOR UPDATE",
			insert: "INSERT INTO items (id, owner, version, name) VALUES (?, ?, ?, ?)",
			update: "UPDATE items SET owner = ?, version = ?, name = ? WHERE id = ?",
		}, nil
	}
	return texts{}, unknownDialect(name)
}

func openSQL(_ context.Context, c Cluster, o Options) (DB, error) {
	t, err := textsFor(c.Dialect)
	if err != nil {
		return nil, err
	}
	db := o.open(c.Primary)
	return &sqlDB{
		statements: statements{db, t},
		begin:      func(ctx context.Context) (sqlTx, error) { return db.BeginTx(ctx, nil) },
		close:      db.Close,
	}, nil
}

// runner runs statements: a pool, a resolver or a transaction.
type runner interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// sqlTx is a transaction of database/sql or of what imitates it.
type sqlTx interface {
	runner
	Commit() error
	Rollback() error
}

// statements are a [DB] but for its transactions and its end.
type statements struct {
	run  runner
	text texts
}

func (s *statements) Get(ctx context.Context, id int64) (Item, error) {
	return s.get(ctx, s.text.get, id)
}

func (s *statements) GetForUpdate(ctx context.Context, id int64) (Item, error) {
	return s.get(ctx, s.text.lock, id)
}

// GetRaw is Get: there is only text.
func (s *statements) GetRaw(ctx context.Context, id int64) (Item, error) {
	return s.get(ctx, s.text.get, id)
}

func (s *statements) get(ctx context.Context, text string, id int64) (Item, error) {
	var it Item
	err := s.run.QueryRowContext(ctx, text, id).Scan(&it.ID, &it.Owner, &it.Version, &it.Name)
	return it, err
}

func (s *statements) Insert(ctx context.Context, it Item) error {
	_, err := s.run.ExecContext(ctx, s.text.insert, it.ID, it.Owner, it.Version, it.Name)
	return err
}

func (s *statements) Update(ctx context.Context, it Item) error {
	_, err := s.run.ExecContext(ctx, s.text.update, it.Owner, it.Version, it.Name, it.ID)
	return err
}

func (s *statements) Query(ctx context.Context, text string) error {
	rows, err := s.run.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	columns, err := rows.Columns()
	row := make([]any, len(columns))
	for i := range row {
		row[i] = new(any)
	}
	for err == nil && rows.Next() {
		err = rows.Scan(row...)
	}
	return errors.Join(err, rows.Err(), rows.Close())
}

func (s *statements) Exec(ctx context.Context, text string) error {
	_, err := s.run.ExecContext(ctx, text)
	return err
}

type sqlDB struct {
	statements
	begin func(context.Context) (sqlTx, error)
	close func() error
}

func (s *sqlDB) InTx(ctx context.Context, fn func(context.Context, DB) error) error {
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	err = fn(ctx, &textTx{statements: statements{tx, s.text}})
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s *sqlDB) Close() error { return s.close() }

type textTx struct {
	inTx
	statements
}

func closeAll(pools []*sql.DB) error {
	var errs []error
	for _, db := range pools {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}
