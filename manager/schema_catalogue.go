package manager

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// catalogue is which tables a bind's writer has: their names as SQL writes them → the names of their
// indexes and foreign keys. A table that is not there has no entry.
type catalogue map[string]map[string]bool

// has reports whether a table has an index or foreign key of this name.
func (c catalogue) has(db *bun.DB, table, part string) bool { return c[table][foldName(db, part)] }

// lookAtOnce is how many tables one question asks for.
const lookAtOnce = 50

// lookFor asks the writer which of the tables it has, and with what. Names are compared as the server
// does.
func lookFor(ctx context.Context, db *bun.DB, tables []string) (catalogue, error) {
	question, ok := catalogueQuestions[db.Dialect().Name()]
	if !ok {
		return nil, fmt.Errorf("manager: how %s lists its tables is not known", db.Dialect().Name())
	}
	found := make(catalogue)
	for start := 0; start < len(tables); start += lookAtOnce {
		chunk := tables[start:min(start+lookAtOnce, len(tables))]
		var parts []schema.QueryWithArgs
		for i, table := range chunk {
			parts = append(parts, question(i, table))
		}
		var at []int
		var names []string
		err := db.NewRaw("?", unionAll(parts)).Scan(ctx, &at, &names)
		if err != nil {
			return nil, err
		}
		for i, n := range at {
			table := chunk[n]
			if found[table] == nil {
				found[table] = map[string]bool{}
			}
			found[table][foldName(db, names[i])] = true
		}
	}
	return found, nil
}

// catalogueQuestions return, for the table that is number i, a row of i and "" if the table or a view
// of that name is there, and one of i and a name for each of its indexes and foreign keys.
var catalogueQuestions = map[dialect.Name]func(i int, table string) schema.QueryWithArgs{
	dialect.PG: func(i int, table string) schema.QueryWithArgs {
		return bun.SafeQuery(`SELECT ?0::int, '' WHERE to_regclass(?1) IS NOT NULL`+
			` UNION ALL SELECT ?0, c.relname::text FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = to_regclass(?1)`+
			` UNION ALL SELECT ?0, conname::text FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass(?1)`, i, table)
	},
	dialect.MySQL: func(i int, table string) schema.QueryWithArgs {
		s, name := splitName(table)
		var in any = bun.Safe("DATABASE()")
		if s != "" {
			in = s
		}
		return bun.SafeQuery(`SELECT ?0, '' FROM information_schema.tables WHERE table_schema = ?1 AND table_name = ?2`+
			` UNION ALL SELECT DISTINCT ?0, index_name FROM information_schema.statistics WHERE table_schema = ?1 AND table_name = ?2`+
			` UNION ALL SELECT ?0, constraint_name FROM information_schema.table_constraints`+
			` WHERE constraint_type = 'FOREIGN KEY' AND table_schema = ?1 AND table_name = ?2`, i, in, name)
	},
	dialect.SQLite: func(i int, table string) schema.QueryWithArgs {
		_, name := splitName(table)
		return bun.SafeQuery(`SELECT ?0, CASE type WHEN 'index' THEN name ELSE '' END FROM sqlite_master`+
			` WHERE type IN ('table', 'view', 'index') AND tbl_name = ?1 COLLATE NOCASE`, i, name)
	},
}

type unionAll []schema.QueryWithArgs

func (u unionAll) AppendQuery(gen schema.QueryGen, b []byte) (_ []byte, err error) {
	for i, part := range u {
		if i > 0 {
			b = append(b, " UNION ALL "...)
		}
		if b, err = part.AppendQuery(gen, b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// foldName makes names of indexes comparable: only PostgreSQL tells upper and lower case apart, and it
// cuts names that are too long.
func foldName(db *bun.DB, name string) string {
	if db.Dialect().Name() != dialect.PG {
		return strings.ToLower(name)
	}
	if len(name) > longestName {
		name = strings.ToValidUTF8(name[:longestName], "")
	}
	return name
}

// splitName takes a name as SQL writes it, `"shop"."users"` or shop.users, apart.
func splitName(written string) (schema, name string) {
	quote, between := written[:1], `.`
	if quote == `"` || quote == "`" {
		between = quote + "." + quote
	} else {
		quote = ""
	}
	parts := strings.Split(strings.Trim(written, quote), between)
	plain := func(s string) string {
		if quote == "" {
			return s
		}
		return strings.ReplaceAll(s, quote+quote, quote)
	}
	name = plain(parts[len(parts)-1])
	if len(parts) > 1 {
		schema = plain(parts[len(parts)-2])
	}
	return schema, name
}
