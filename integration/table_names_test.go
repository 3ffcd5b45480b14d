package integration_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
)

// meterValue is a row of a table of each month.
type meterValue struct {
	bun.BaseModel `bun:"table:meter_values"`
	shop

	ID    int64 `bun:",pk"`
	Value int64
}

// TestTableNames runs the README's recipe for one table a month: with the model's alias where statements name
// columns by it, without where they have none on every database.
func TestTableNames(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			ctx := t.Context()
			writer, _, _ := k.uris(t)
			m := openManager(t, config(map[string]string{"shop": writer}, nil, ""))
			table := bun.Ident("meter values 2026-05")
			values := func() (values []int64) {
				var rows []meterValue
				require.NoError(t, m.NewSelect(&rows).ModelTableExpr("? AS ?TableAlias", table).
					Where("?TableAlias.value > ?", 0).Order("id").Scan(ctx))
				for _, row := range rows {
					values = append(values, row.Value)
				}
				return values
			}
			_, err := m.NewCreateTable((*meterValue)(nil)).ModelTableExpr("?", table).Exec(ctx)
			require.NoError(t, err)
			_, err = m.NewInsert(&[]meterValue{{ID: 1, Value: 7}, {ID: 2, Value: 8}}).ModelTableExpr("?", table).Exec(ctx)
			require.NoError(t, err)
			assert.Equal(t, []int64{7, 8}, values())
			_, err = m.NewUpdate(&meterValue{ID: 1, Value: 9}).ModelTableExpr("? AS ?TableAlias", table).WherePK().Exec(ctx)
			require.NoError(t, err)
			_, err = m.NewUpdate((*meterValue)(nil)).ModelTableExpr("? AS ?TableAlias", table).Set("value = ?", 10).Where("id = ?", 2).Exec(ctx)
			require.NoError(t, err)
			assert.Equal(t, []int64{9, 10}, values())
			_, err = m.NewDelete((*meterValue)(nil)).ModelTableExpr("?", table).Where("id = ?", 1).Exec(ctx)
			require.NoError(t, err)
			assert.Equal(t, []int64{10}, values())
		})
	}
}
