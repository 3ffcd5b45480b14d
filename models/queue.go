package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Claim takes up to n rows of a queue for the caller and returns them as they are then, in no
// particular order: none, and no error, if no row is free. T is the model's struct, with a primary
// key. However many workers claim at once, no row is given to two of them.
//
// The first function says which rows are free and which come first, the second marks a row as
// taken, so that the first no longer finds it:
//
//	jobs, err := models.Claim[Job](ctx, db, 10,
//		func(q *bun.SelectQuery) *bun.SelectQuery {
//			return q.Where("run_at <= ?", models.Now()).Order("run_at")
//		},
//		func(q *bun.UpdateQuery) *bun.UpdateQuery {
//			return q.Set("run_at = ?", models.AddSeconds(models.Now(), 60)) // again, if the worker dies
//		})
//
// Rows that another worker is claiming, or has locked for another reason, are passed over, not
// waited for. So Claim may return fewer rows than are free, even none. An index that has the
// condition and the order keeps workers out of each other's way: without one, MySQL and MariaDB
// lock every free row for as long as a claim takes.
//
// PostgreSQL does it in one statement, by FOR UPDATE SKIP LOCKED. MySQL (since 8.0.1) and MariaDB
// (since 10.6) need a transaction of three: it is READ COMMITTED, so that no gap is locked, which
// asks for row-based or mixed binary logs. SQLite does it in one statement, which waits for other
// writers as busy_timeout says.
//
// Once Claim returns, the rows are taken for good, except in a transaction: there they are until it
// ends, and free again if it is rolled back. Claim first in it, or make it READ COMMITTED: MariaDB since 11.6.2 rolls back
// a transaction (error 1020) that locks a row which has changed since it first read.
func Claim[T any](ctx context.Context, db bun.IDB, n int,
	free func(*bun.SelectQuery) *bun.SelectQuery, take func(*bun.UpdateQuery) *bun.UpdateQuery) ([]T, error) {
	c, err := newClaim[T](db, n, free, take)
	if err != nil {
		return nil, err
	}
	switch db.Dialect().Name() {
	case dialect.PG:
		err = c.withLockedRows(ctx)
	case dialect.SQLite:
		err = c.alone(ctx)
	case dialect.MySQL:
		err = runInTx(ctx, db, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, c.stepByStep)
	default:
		err = errors.New("a database of unknown kind")
	}
	if err != nil {
		return nil, fmt.Errorf("models: claim of %v: %w", c.table.Type, err)
	}
	return c.rows, nil
}

// claim is one claim under way.
type claim[T any] struct {
	db    bun.IDB
	table *schema.Table
	n     int
	free  func(*bun.SelectQuery) *bun.SelectQuery
	take  func(*bun.UpdateQuery) *bun.UpdateQuery
	rows  []T
}

func newClaim[T any](db bun.IDB, n int,
	free func(*bun.SelectQuery) *bun.SelectQuery, take func(*bun.UpdateQuery) *bun.UpdateQuery) (*claim[T], error) {
	typ := reflect.TypeFor[T]()
	if typ.Kind() != reflect.Struct {
		return nil, fmt.Errorf("models: claim of %v: not a struct", typ)
	}
	if err := checkHome(db, typ); err != nil {
		return nil, fmt.Errorf("models: claim of %v: %w", typ, err)
	}
	c := &claim[T]{db: db, table: db.Dialect().Tables().Get(typ), n: n, free: free, take: take}
	switch {
	case n < 1:
		return nil, fmt.Errorf("models: claim of %v: cannot take %d rows", typ, n)
	case len(c.table.PKs) == 0:
		return nil, fmt.Errorf("models: claim of %v: no primary key", typ)
	}
	return c, nil
}

// candidates is the query for the keys of the rows to take.
func (c *claim[T]) candidates(db bun.IDB) *bun.SelectQuery {
	return db.NewSelect().Model((*T)(nil)).ColumnExpr("?TablePKs").Apply(c.free).Limit(int64(c.n))
}

// withLockedRows updates what a locking query finds. That must not be a subquery of the condition:
// PostgreSQL might run it more than once, each time locking and taking other rows.
func (c *claim[T]) withLockedRows(ctx context.Context) error {
	locked := c.candidates(c.db).For("UPDATE OF ?TableAlias SKIP LOCKED")
	q := c.db.NewUpdate().WithQuery(bun.NewWithQuery(claimed, locked).Materialized()).
		Model(&c.rows).TableExpr(claimed).Apply(c.take)
	for _, pk := range c.table.PKs {
		q = q.Where("?TableAlias.? = "+claimed+".?", bun.Name(pk.Name), bun.Name(pk.Name))
	}
	return execTaking(ctx, c.db, q.Returning("?TableColumns"))
}

const claimed = "bindery_claimed"

// alone relies on a statement that writes being alone from its start to its end.
func (c *claim[T]) alone(ctx context.Context) error {
	return execTaking(ctx, c.db, c.db.NewUpdate().Model(&c.rows).Apply(c.take).
		Where("(?PKs) IN (?)", c.candidates(c.db)).Returning("?Columns"))
}

// execTaking runs the update of a claim, whose conditions are the caller's.
func execTaking(ctx context.Context, db bun.IDB, q *bun.UpdateQuery) error {
	if err := checkQuery(db, q); err != nil {
		return err
	}
	_, err := q.Exec(ctx)
	return err
}

// stepByStep locks rows, marks them, and reads what they are then.
func (c *claim[T]) stepByStep(ctx context.Context, tx bun.IDB) error {
	free := c.candidates(tx).Model(&c.rows).For("UPDATE SKIP LOCKED")
	if err := checkQuery(tx, free); err != nil {
		return err
	}
	if err := free.Scan(ctx); err != nil || len(c.rows) == 0 {
		return err
	}
	if err := execTaking(ctx, tx, tx.NewUpdate().Model(&c.rows).Apply(c.take).WherePK()); err != nil {
		return err
	}
	taken := c.rows
	c.rows = nil
	return tx.NewSelect().Model(&c.rows).Where("(?TablePKs) IN (?)", primaryKeys(c.table, taken)).Scan(ctx)
}

// primaryKeys is a list of rows' keys for IN.
func primaryKeys[T any](table *schema.Table, rows []T) Expr {
	return func(gen schema.QueryGen, b []byte) ([]byte, error) {
		for i := range rows {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(b, '(')
			for j, pk := range table.PKs {
				if j > 0 {
					b = append(b, ", "...)
				}
				b = pk.AppendValue(gen, b, reflect.ValueOf(&rows[i]).Elem())
			}
			b = append(b, ')')
		}
		return b, nil
	}
}
