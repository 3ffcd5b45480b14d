package models_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type longText struct {
	bun.BaseModel `bun:"table:long_articles"`

	ID   int64 `bun:",pk"`
	Body models.LongText
}

func TestLongTextIsLong(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*longText)(nil)))
		createTables(t, db, (*longText)(nil))
		if db.Dialect().Name() == dialect.MySQL {
			require.Contains(t, scalar(t, db, "SELECT @@sql_mode"), "STRICT_TRANS_TABLES")
		}
		for i, body := range map[int64]string{
			1: strings.Repeat("x", 1<<20),
			2: strings.Repeat("ü", 1<<19) + `'"\` + "\n\t☃",
			3: "",
		} {
			exec(t, db.NewInsert().Model(&longText{ID: i, Body: models.LongText(body)}))
			var got longText
			require.NoError(t, db.NewSelect().Model(&got).Where("id = ?", i).Where("body = ?", models.LongText(body)).Scan(t.Context()))
			require.True(t, body == string(got.Body), "text %d", i)
		}
	})
}

func TestLongTextIndex(t *testing.T) {
	index := map[dialect.Name]string{
		dialect.MySQL:  "CREATE INDEX long_articles_body ON long_articles (body(100))",
		dialect.PG:     "CREATE INDEX long_articles_body ON long_articles (md5(body))",
		dialect.SQLite: "CREATE INDEX long_articles_body ON long_articles (body)",
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*longText)(nil)))
		createTables(t, db, (*longText)(nil))
		exec(t, db.NewRaw(index[db.Dialect().Name()]))
		exec(t, db.NewInsert().Model(&longText{ID: 1, Body: models.LongText(strings.Repeat("x", 1<<16))}))
		require.Equal(t, "1", scalar(t, db, "SELECT count(*) FROM long_articles WHERE body LIKE 'xxx%'"))
	})
}

func TestLongTextInJSON(t *testing.T) {
	text, err := json.Marshal(longText{ID: 1, Body: "a"})
	require.NoError(t, err)
	require.JSONEq(t, `{"ID":1,"Body":"a"}`, string(text))
}
