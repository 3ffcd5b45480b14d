package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/schema"
)

// mysqlMicros is the column type whose times keep what the model holds; Bun's DATETIME has whole
// seconds.
const mysqlMicros = "DATETIME(6)"

// tableTypes guards the column types that BeforeCreateTable sets.
var tableTypes sync.Mutex

// BeforeCreateTable gives the columns of the model's mixins their types, and reports what is wrong
// with the model. Call it from a BeforeCreateTable of the model's own, which hides theirs.
func BeforeCreateTable(_ context.Context, q *bun.CreateTableQuery) error {
	p, table, err := prepare(createBuilder, q.GetModel())
	if p == nil || err != nil || q.Dialect().Name() != dialect.MySQL {
		return err
	}
	tableTypes.Lock()
	defer tableTypes.Unlock()
	for _, m := range p.mixins {
		for _, c := range m.columns {
			if f := table.FieldMap[c.name]; c.micros && f.CreateTableSQLType != mysqlMicros {
				f.CreateTableSQLType = mysqlMicros
			}
		}
	}
	return nil
}

// AfterCreateTable makes the indexes of the model's mixins that the table does not have. Call it
// from an AfterCreateTable of the model's own, which hides theirs.
func AfterCreateTable(ctx context.Context, q *bun.CreateTableQuery) error {
	p, table, err := prepare(createBuilder, q.GetModel())
	if p == nil || err != nil {
		return err
	}
	name := string(table.SQLName)
	if other := look[schema.QueryWithArgs](q, createBuilder.modelTable); !other.IsZero() {
		text, err := other.AppendQuery(q.DB().QueryGen(), nil)
		if err != nil {
			return err
		}
		name = string(text)
	}
	for _, m := range p.mixins {
		for _, c := range m.columns {
			if !c.indexed {
				continue
			}
			if err := createIndex(ctx, q, name, c.name); err != nil {
				return err
			}
		}
	}
	return nil
}

func createIndex(ctx context.Context, q *bun.CreateTableQuery, table, column string) error {
	index := indexName(table, column)
	create := q.NewCreateIndex().TableExpr("?", bun.Safe(table)).Index(index).Column(column)
	if q.DB().HasFeature(feature.CreateIndexIfNotExists) {
		create.IfNotExists()
	} else if there, err := hasIndex(ctx, q, table, index); there || err != nil {
		return err
	}
	_, err := create.Exec(ctx)
	return err
}

// hasIndex asks MySQL, which has no CREATE INDEX IF NOT EXISTS.
func hasIndex(ctx context.Context, q *bun.CreateTableQuery, table, index string) (bool, error) {
	var n int
	err := q.NewSelect().ColumnExpr("count(*)").TableExpr("information_schema.statistics").
		Where("table_schema = database()").
		Where("table_name = ?", plainName(table)).Where("index_name = ?", index).Scan(ctx, &n)
	return n > 0, err
}

// maxIdent is the longest name that PostgreSQL keeps whole, in bytes; MySQL's limit is one more.
const maxIdent = 63

// indexName returns <table>_<column>_idx, with a hash in place of the end of a name that is too
// long.
func indexName(table, column string) string {
	name := plainName(table) + "_" + column + "_idx"
	if len(name) <= maxIdent {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	end := "_" + hex.EncodeToString(sum[:4]) + "_idx"
	return strings.ToValidUTF8(name[:maxIdent-len(end)], "") + end
}

// plainName returns a table's name without schema and quotes.
func plainName(table string) string {
	return strings.Trim(table[strings.LastIndexByte(table, '.')+1:], " \"`[]")
}
