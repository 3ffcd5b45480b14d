package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type mixedJob struct {
	bun.BaseModel `bun:"table:mixed_jobs"`
	models.Timestamps
	models.Version

	Code  string `bun:",pk"`
	Taken bool
}

// TestMixinsInBulkAndQueue sees that bulk inserts, upserts and claims treat mixins as plain queries
// do.
func TestMixinsInBulkAndQueue(t *testing.T) {
	born := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) func() time.Time { return func() time.Time { return born.Add(d) } }
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*mixedJob)(nil))
		rows := []mixedJob{{Code: "a"}, {Code: "b"}, {Code: "c"}}
		_, err := models.BulkInsert(models.WithClock(t.Context(), at(0)), db, rows, models.BatchRows(2))
		require.NoError(t, err)
		assert.True(t, born.Equal(rows[2].CreatedAt), rows[2].CreatedAt)

		again := []mixedJob{{Code: "c", Taken: true}, {Code: "d", Taken: true}}
		_, err = models.BulkInsert(models.WithClock(t.Context(), at(time.Hour)), db, again, models.ReplaceOnConflict(nil, "taken"))
		require.NoError(t, err)
		stale := []mixedJob{{Code: "a", Taken: true}}
		done, err := models.BulkInsert(models.WithClock(t.Context(), at(9*time.Hour)), db, stale, models.IgnoreConflicts())
		require.NoError(t, err)
		assert.Equal(t, 1, done.Ignored)

		got, err := models.Claim[mixedJob](models.WithClock(t.Context(), at(2*time.Hour)), db, 1,
			func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("taken = ?", false).Order("code") },
			func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("taken = ?", true) })
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.Equal(t, int64(2), got[0].RowVersion, "as after the claim")

		var found []mixedJob
		require.NoError(t, db.NewSelect().Model(&found).Order("code").Scan(t.Context()))
		require.Len(t, found, 4)
		for i, want := range []struct {
			created, updated time.Duration
			version          int64
		}{{0, 2 * time.Hour, 2}, {0, 0, 1}, {0, time.Hour, 2}, {time.Hour, time.Hour, 1}} {
			row := found[i]
			assert.True(t, born.Add(want.created).Equal(row.CreatedAt), "%s was created at %v", row.Code, row.CreatedAt)
			assert.True(t, born.Add(want.updated).Equal(row.UpdatedAt), "%s was updated at %v", row.Code, row.UpdatedAt)
			assert.Equal(t, want.version, row.RowVersion, "the version of %s", row.Code)
		}
	})
}
