package models

import (
	"errors"
	"fmt"
	"slices"

	"github.com/uptrace/bun/schema"
)

// A BulkOption changes how a bulk insert works.
type BulkOption func(*bulkOptions)

type bulkOptions struct {
	maxRows, maxBytes int
	commitEach        bool
	progress          func(BulkResult)
	conflict          conflict
	into              *schema.QueryWithArgs
	bad               error // the first option that makes no sense
}

const (
	defaultBatchRows = 1000
	// A quarter of the least max_allowed_packet that MySQL has had by default since 5.6.
	defaultBatchBytes = 1 << 20
)

// BatchRows bounds a batch to n rows. The default is 1000; less than 1 is an error.
func BatchRows(n int) BulkOption {
	return func(o *bulkOptions) {
		if o.maxRows = n; n < 1 {
			o.refuse(fmt.Errorf("a batch cannot have %d rows", n))
		}
	}
}

// BatchBytes bounds the values of a batch to n bytes of SQL. A row that needs more is a batch of
// its own. The default is 1 MiB; a negative n removes the bound, zero is an error.
//
// The bytes that a text needs are taken to be twice its length, which is the most that valid UTF-8
// can need. Values that Bun
// marshals (JSON, types with a Value method) are marshalled once more to see their size, so
// without the bound they are faster. What a hook adds to a row is not counted.
//
// The server's own bounds are max_allowed_packet on MySQL and MariaDB (at least 4 MiB by default
// since MySQL 5.6, 16 MiB on MariaDB; go-sql-driver keeps to 64 MiB), 1 GB on PostgreSQL, and
// SQLITE_MAX_SQL_LENGTH on SQLite (a billion bytes by default). Bun writes values into the
// statement, so the bounds on parameters do not matter.
func BatchBytes(n int) BulkOption {
	return func(o *bulkOptions) {
		if o.maxBytes = n; n == 0 {
			o.refuse(errors.New("a batch cannot have 0 bytes"))
		}
	}
}

// CommitEachBatch commits every batch by itself, or, on a bun.Tx, makes it a savepoint of its own:
// batches that came before a failure are kept.
func CommitEachBatch() BulkOption {
	return func(o *bulkOptions) { o.commitEach = true }
}

// Progress calls fn after every batch, from the goroutine that inserts, with what has been done so
// far: committed only with [CommitEachBatch]. To stop there, cancel the context.
func Progress(fn func(BulkResult)) BulkOption {
	return func(o *bulkOptions) { o.progress = fn }
}

// IntoTable inserts into another table than the model's, as ModelTableExpr does:
//
//	models.IntoTable("?", bun.Ident("events_2026_01"))
func IntoTable(query string, args ...any) BulkOption {
	return func(o *bulkOptions) {
		expr := schema.SafeQuery(query, args)
		o.into = &expr
	}
}

// IgnoreConflicts leaves out the rows whose key is taken, by a row of the table or an earlier one of
// rows, and counts them. Every other error is still one: this is ON CONFLICT DO NOTHING, and on
// MySQL an ON DUPLICATE KEY UPDATE that changes nothing, never INSERT IGNORE, which also swallows
// NULLs, bad values and broken foreign keys.
//
// Columns name the unique key whose conflicts count; none means every key. MySQL and MariaDB cannot
// choose: there every key counts.
//
// On MySQL and MariaDB the statement counts with the session's variable @bindery_ignored.
func IgnoreConflicts(columns ...string) BulkOption {
	return func(o *bulkOptions) { o.conflict = conflict{mode: ignoreConflict, key: columns} }
}

// ReplaceOnConflict gives the chosen columns of a row whose key is taken the new values, and leaves
// its other columns alone. The key is the columns of a unique index, nil the primary key. MySQL and
// MariaDB cannot choose: a conflict in any unique key counts there.
//
// Two rows with one key in one batch are an error on PostgreSQL (SQLSTATE 21000); elsewhere the
// last one wins.
func ReplaceOnConflict(key []string, columns ...string) BulkOption {
	return func(o *bulkOptions) {
		if o.conflict = (conflict{mode: replaceConflict, key: key, columns: columns}); len(columns) == 0 {
			o.refuse(errors.New("no column to replace"))
		}
	}
}

func (o *bulkOptions) refuse(err error) {
	if o.bad == nil {
		o.bad = err
	}
}

// check looks at the options once the table is known, and fills in what it says.
func (o *bulkOptions) check(table *schema.Table) error {
	if o.bad != nil {
		return o.bad
	}
	c := &o.conflict
	if c.mode == replaceConflict && c.key == nil {
		c.key = columnNames(table.PKs)
		if len(c.key) == 0 {
			return errors.New("no primary key: name the columns of a unique one")
		}
	}
	for _, name := range slices.Concat(c.key, c.columns) {
		if err := checkColumn(table, name); err != nil {
			return err
		}
	}
	return nil
}

// checkColumn says whether the table has a column.
func checkColumn(table *schema.Table, name string) error {
	if table.HasField(name) {
		return nil
	}
	return &UnknownColumnError{Model: table.Type, Column: name, Columns: columnNames(table.Fields)}
}

func columnNames(fields []*schema.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}
