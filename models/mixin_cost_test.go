package models_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/models"
)

type costMixed struct {
	models.Timestamps
	models.EpochTimestamps
	models.Version

	ID int64 `bun:",pk"`
}

// TestMixinsAllocateNothingPerRow compares the hooks on one row and on a thousand.
func TestMixinsAllocateNothingPerRow(t *testing.T) {
	pool, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer func() { require.NoError(t, pool.Close()) }()
	db := bun.NewDB(pool, sqlitedialect.New())
	ctx := t.Context()
	for name, hook := range map[string]func(rows []costMixed) error{
		"insert": func(rows []costMixed) error { return models.BeforeInsert(ctx, db.NewInsert().Model(&rows)) },
		"update": func(rows []costMixed) error {
			return models.BeforeUpdate(ctx, db.NewUpdate().Model(&rows).Set("id = id"))
		},
	} {
		allocs := func(n int) float64 {
			rows := make([]costMixed, n)
			return testing.AllocsPerRun(10, func() {
				clear(rows)
				require.NoError(t, hook(rows))
			})
		}
		assert.Equal(t, allocs(1), allocs(1000), name)
	}
}
