package models_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// TestFiltersThroughManager sees filters and pages on a DB that routes.
func TestFiltersThroughManager(t *testing.T) {
	eachBind(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		cases := filterCases(t)
		for _, reason := range []string{"a slice means IN", "a day at the end, epoch", "a DATE knows no zone", "Contains takes a backslash and quotes", "Or of nothing"} {
			testSelect(t, db, cases[reason])
			testUpdate(t, db, cases[reason])
			testDelete(t, db, cases[reason])
		}
		pageRows(t, db, rand.New(rand.NewPCG(6, 9)), 20)
		order := models.Order{models.Desc("plain"), models.Asc("zeroed").NullsLast()}
		want := whole(t, db, order, models.Condition{})
		assert.Equal(t, want, forward(t, order, 6, func() *bun.SelectQuery { return db.NewSelect() }))
		page, err := models.Paginate[pageRow](t.Context(), db.NewSelect(), order, 2, 6)
		require.NoError(t, err)
		assert.Equal(t, want[6:12], rowIDs(page.Items))
		assert.EqualValues(t, 20, page.Total)
	})
}
