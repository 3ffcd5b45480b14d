package manager

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// column is a column as a server describes it.
type column struct {
	name   string
	typ    string // in lower case, as the server writes it: "numeric(10,2)", "int(11) unsigned"
	needed bool   // an INSERT must name it: NOT NULL, and neither default nor trigger gives a value
	filled bool   // the server gives the values: identity, auto_increment
}

// columnsOf asks a server, whose statements db formats, for the columns of tables and views, whose names are as SQL writes them. One that
// is not there, or has no columns, has no entry.
func columnsOf(ctx context.Context, pool *sql.DB, db *bun.DB, tables []string) (map[string][]column, error) {
	question, ok := columnQuestions[db.Dialect().Name()]
	if !ok {
		return nil, fmt.Errorf("manager: how %s lists columns is not known", db.Dialect().Name())
	}
	found := make(map[string][]column)
	for start := 0; start < len(tables); start += lookAtOnce {
		chunk := tables[start:min(start+lookAtOnce, len(tables))]
		var parts unionAll
		for i, table := range chunk {
			parts = append(parts, question(i, table))
		}
		query, err := parts.AppendQuery(db.QueryGen(), nil)
		if err != nil {
			return nil, err
		}
		if err := readColumns(ctx, pool, string(query), chunk, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func readColumns(ctx context.Context, pool *sql.DB, query string, tables []string, found map[string][]column) (err error) {
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		var table, needed, filled int
		var c column
		if err := rows.Scan(&table, &c.name, &c.typ, &needed, &filled); err != nil {
			return err
		}
		c.typ, c.needed, c.filled = strings.ToLower(c.typ), needed == 1, filled == 1
		found[tables[table]] = append(found[tables[table]], c)
	}
	return rows.Err()
}

// columnQuestions return, for the table that is number i, a row for each of its columns: i, its name, its type,
// whether an INSERT needs it, whether the server fills it. A view is not written to: it needs nothing.
var columnQuestions = map[dialect.Name]func(i int, table string) schema.QueryWithArgs{
	// A domain counts as the type that it rests on, at whatever depth: format_type gives the domain's name,
	// which no rule knows, where a domain rests on a domain.
	dialect.PG: func(i int, table string) schema.QueryWithArgs {
		return bun.SafeQuery(`SELECT ?0::int, a.attname::text, format_type(COALESCE(NULLIF(t.typbasetype, 0), a.atttypid),`+
			` CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END)::text,`+
			` CASE WHEN (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef AND a.attidentity = '' AND t.typdefault IS NULL AND c.relkind IN ('r', 'p')`+
			` AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal) THEN 1 ELSE 0 END,`+
			` CASE WHEN a.attidentity <> '' OR a.atthasdef THEN 1 ELSE 0 END`+
			` FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid`+
			` WHERE a.attrelid = to_regclass(?1) AND a.attnum > 0 AND NOT a.attisdropped`, i, table)
	},
	// Without strict mode an INSERT that leaves a column out gets a default; an ENUM and the first TIMESTAMP have one anyway.
	dialect.MySQL: func(i int, table string) schema.QueryWithArgs {
		s, name := splitName(table)
		var in any = bun.Safe("DATABASE()")
		if s != "" {
			in = s
		}
		return bun.SafeQuery(`SELECT ?0, c.column_name, c.column_type,`+
			` CASE WHEN c.is_nullable = 'NO' AND c.column_default IS NULL AND c.extra = '' AND c.data_type NOT IN ('enum', 'timestamp')`+
			` AND t.table_type = 'BASE TABLE' AND @@sql_mode LIKE '%STRICT_%' AND NOT EXISTS (SELECT 1 FROM information_schema.triggers g`+
			` WHERE g.event_object_schema = c.table_schema AND g.event_object_table = c.table_name) THEN 1 ELSE 0 END,`+
			` CASE WHEN c.extra LIKE '%auto_increment%' THEN 1 ELSE 0 END`+
			` FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name`+
			` WHERE c.table_schema = ?1 AND c.table_name = ?2`, i, in, name)
	},
	dialect.SQLite: func(i int, table string) schema.QueryWithArgs {
		s, name := splitName(table)
		var in any = bun.Safe("NULL")
		master := bun.Safe("sqlite_master")
		if s != "" {
			in, master = s, bun.Safe(`"`+strings.ReplaceAll(s, `"`, `""`)+`".sqlite_master`)
		}
		return bun.SafeQuery(`SELECT ?0, x.name, x.type, CASE WHEN x."notnull" AND x.dflt_value IS NULL AND x.hidden = 0 AND NOT x.pk`+
			` AND EXISTS (SELECT 1 FROM ?3 WHERE type = 'table' AND name = ?1 COLLATE NOCASE) THEN 1 ELSE 0 END,`+
			` CASE WHEN x.pk AND x.type = 'INTEGER' COLLATE NOCASE THEN 1 ELSE 0 END`+
			` FROM pragma_table_xinfo(?1, ?2) x WHERE x.hidden <> 1`, i, name, in, master)
	},
}
