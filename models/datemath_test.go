package models_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type lease struct {
	bun.BaseModel `bun:"table:datemath_leases"`

	ID    int64      `bun:",pk"`
	Start time.Time  `bun:"type:timestamp(6)"`
	End   *time.Time `bun:"type:timestamp(6) null"`
	TTL   int64
}

func TestAddSeconds(t *testing.T) {
	start := time.Date(2026, 2, 28, 23, 59, 58, 123456000, time.UTC)
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*lease)(nil))
		_, err := db.NewInsert().Model(&lease{ID: 1, Start: start, TTL: 5}).Exec(t.Context())
		require.NoError(t, err)
		for reason, row := range map[string]struct {
			expr models.Expr
			want time.Duration
		}{
			"over the end of a month": {models.AddSeconds("start", 3), 3 * time.Second},
			"negative":                {models.AddSeconds("lease.start", -86400), -24 * time.Hour},
			"zero":                    {models.AddSeconds("start", int64(0)), 0},
			"a column of seconds":     {models.AddSeconds("start", models.Col("ttl")), 5 * time.Second},
			"nested":                  {models.AddSeconds(models.AddSeconds("start", -60), 7200), 7140 * time.Second},
		} {
			n, err := db.NewSelect().Model((*lease)(nil)).Where("? = ?", row.expr, start.Add(row.want)).Count(t.Context())
			require.NoError(t, err, reason)
			assert.EqualValues(t, 1, n, reason)

			var back lease
			_, err = db.NewUpdate().Model((*lease)(nil)).Set("? = ?", models.Col("end"), row.expr).Where("id = 1").Exec(t.Context())
			require.NoError(t, err)
			require.NoError(t, db.NewSelect().Model(&back).Scan(t.Context()))
			require.NotNil(t, back.End, reason)
			assert.True(t, start.Add(row.want).Equal(*back.End), "%s: stored %v", reason, *back.End)
		}
		var null sql.NullString
		_, err = db.NewUpdate().Model((*lease)(nil)).Set("? = NULL", models.Col("end")).Where("id = 1").Exec(t.Context())
		require.NoError(t, err)
		require.NoError(t, db.NewSelect().Model((*lease)(nil)).ColumnExpr("?", models.AddSeconds("end", 1)).Scan(t.Context(), &null))
		assert.False(t, null.Valid, "NULL stays NULL")
	})
}

func TestNow(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*lease)(nil))
		before := time.Now().UTC().Add(-time.Second)
		_, err := db.NewInsert().Model(&lease{ID: 1, Start: before}).Value("start", "?", models.Now()).Exec(t.Context())
		require.NoError(t, err)
		after := time.Now().UTC().Add(time.Second)
		var row lease
		require.NoError(t, db.NewSelect().Model(&row).
			Where("start BETWEEN ? AND ?", before, after).
			Where("start <= ?", models.Now()).
			Where("? < ?", models.AddSeconds(models.Now(), -60), models.Col("start")).
			Where("? > ?", models.AddSeconds(models.Now(), 60), models.Col("start")).
			Scan(t.Context()))
		assert.WithinRange(t, row.Start, before, after)
	})
}

// TestNowHasBunsFormat sees that SQLite, which compares times as texts, gets the text that Bun
// writes, whatever the fraction.
func TestNowHasBunsFormat(t *testing.T) {
	db := databases[0].get(t)
	eventually := map[int]bool{}
	for len(eventually) < 2 {
		var text string
		require.NoError(t, db.NewSelect().ColumnExpr("?", models.Now()).Scan(t.Context(), &text))
		at, err := time.Parse("2006-01-02 15:04:05.999999999-07:00", text)
		require.NoError(t, err)
		require.Equal(t, string(db.Dialect().AppendTime(nil, at)), "'"+text+"'")
		eventually[len(text)] = true // with and without zeros at the end
	}
}
