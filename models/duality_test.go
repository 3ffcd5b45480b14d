package models_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// An order is a document of MySQL's: a view makes it of the rows of two tables, and takes it apart again.
type dualityOrder struct {
	bun.BaseModel `bun:"table:duality_orders_view,alias:o"`

	Data models.JSON[dualityDocument]
}

type dualityDocument struct {
	ID    int64         `json:"_id"`
	Buyer string        `json:"buyer"`
	Items []dualityItem `json:"items"`
}

type dualityItem struct {
	ID   int64  `json:"id"`
	What string `json:"what"`
}

// TestDualityViews writes and reads documents through a model of a JSON duality view.
func TestDualityViews(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if !databaseOf(db).server.AtLeast("MySQL", 9, 4) {
			return // no other has them
		}
		for _, statement := range []string{
			"CREATE TABLE duality_orders (id BIGINT PRIMARY KEY, buyer VARCHAR(50))",
			"CREATE TABLE duality_items (id BIGINT PRIMARY KEY, order_id BIGINT, what VARCHAR(50), FOREIGN KEY (order_id) REFERENCES duality_orders (id))",
			"CREATE JSON DUALITY VIEW duality_orders_view AS SELECT JSON_DUALITY_OBJECT(WITH(INSERT, UPDATE, DELETE) '_id': id, 'buyer': buyer, " +
				"'items': (SELECT JSON_ARRAYAGG(JSON_DUALITY_OBJECT(WITH(INSERT, UPDATE, DELETE) 'id': id, 'what': what)) " +
				"FROM duality_items WHERE duality_items.order_id = duality_orders.id)) FROM duality_orders",
		} {
			exec(t, db.NewRaw(statement))
		}
		t.Cleanup(func() {
			for _, statement := range []string{"DROP VIEW duality_orders_view", "DROP TABLE duality_items, duality_orders"} {
				_, err := db.ExecContext(context.WithoutCancel(t.Context()), statement)
				require.NoError(t, err)
			}
		})
		require.NoError(t, models.Register(db, (*dualityOrder)(nil)))
		read := func(idb bun.IDB) (docs []dualityDocument) {
			t.Helper()
			var rows []dualityOrder
			q := idb.NewSelect().Model(&rows).ColumnExpr("?TableColumns").OrderExpr("?", models.JSONInt("o.data", "_id"))
			require.NoError(t, q.Scan(t.Context()))
			for _, row := range rows {
				docs = append(docs, row.Data.V)
			}
			return docs
		}
		order := func(id int64, buyer string, items ...dualityItem) *dualityOrder {
			return &dualityOrder{Data: models.JSON[dualityDocument]{V: dualityDocument{ID: id, Buyer: buyer, Items: items}}}
		}
		ann, bob := order(1, "it's Ann", dualityItem{1, "tea"}, dualityItem{2, "milk"}), order(2, "Bob", dualityItem{3, "bread"})
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			for _, table := range []string{"duality_items", "duality_orders"} { // the view lets go of one document at a time
				exec(t, idb.NewRaw("DELETE FROM ?", bun.Ident(table)))
			}
			_, err := idb.NewInsert().Model(ann).Exec(t.Context())
			require.ErrorContains(t, err, "6482", "MySQL takes no list of columns here, and Bun always writes one")
			for _, o := range []*dualityOrder{ann, bob} {
				_, err := idb.NewRaw("INSERT INTO ? VALUES (?)", bun.Ident("duality_orders_view"), o.Data).Exec(t.Context())
				require.NoError(t, err)
			}
			assert.Equal(t, []dualityDocument{ann.Data.V, bob.Data.V}, read(idb))

			changed := order(2, "Bob", dualityItem{3, "rolls"}, dualityItem{4, "jam"})
			exec(t, idb.NewUpdate().Model((*dualityOrder)(nil)).Set("data = ?", changed.Data).Where("? = 2", models.JSONInt("o.data", "_id")))
			exec(t, idb.NewDelete().Model((*dualityOrder)(nil)).Where("? = ?", models.JSONText("o.data", "buyer"), "it's Ann"))
			assert.Equal(t, []dualityDocument{changed.Data.V}, read(idb))
			var items int
			require.NoError(t, idb.NewRaw("SELECT COUNT(*) FROM duality_items").Scan(t.Context(), &items))
			assert.Equal(t, 2, items, "the rows of what is deleted are gone")
		})
	})
}
