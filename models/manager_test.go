package models_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/mysqlbind"
	_ "github.com/bindery-go/bindery/binds/pgbind"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/models"
)

// openManager opens a manager on the databases of URIs by bind key; the bind "main" is the default.
func openManager(t *testing.T, uris map[string]string) *manager.DBManager {
	t.Helper()
	config := "default = \"main\"\n[binds]\n"
	for key, uri := range uris {
		config += fmt.Sprintf("%s = '%s'\n", key, uri)
	}
	file := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	m, err := manager.Open(t.Context(), file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// eachBind runs a test on the routing DB of a manager's bind on every database.
func eachBind(t *testing.T, test func(t *testing.T, db *bun.DB)) {
	t.Helper()
	eachDB(t, func(t *testing.T, db *bun.DB) {
		bind, err := openManager(t, map[string]string{"main": databaseOf(db).uri}).Bind(binds.Key("main"))
		require.NoError(t, err)
		test(t, bind.DB())
	})
}

// TestBulkInsertThroughManager counts right with a manager's MySQL and MariaDB too, whose connections count
// the rows that matched.
func TestBulkInsertThroughManager(t *testing.T) {
	eachBind(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*product)(nil))
		rows := products(0, 25)
		done, err := models.BulkInsert(t.Context(), db, rows[:12], models.BatchRows(5))
		require.NoError(t, err)
		assert.Equal(t, models.BulkResult{Rows: 12, Batches: 3, Affected: 12}, done)
		assert.Equal(t, told(db, products(0, 1)[0], productsByCode(t, db)[rows[0].Code]), rows[0])

		for i := range rows {
			rows[i].ID = 0
		}
		for _, each := range [][]models.BulkOption{nil, {models.CommitEachBatch()}} {
			done, err = models.BulkInsert(t.Context(), db, rows, append(each, models.IgnoreConflicts(), models.BatchRows(10))...)
			require.NoError(t, err)
			assert.Equal(t, models.BulkResult{Rows: 25, Batches: 3, Ignored: 12, Affected: 13}, done)
			_, err = db.NewDelete().Model((*product)(nil)).Where("price >= 12").Exec(t.Context())
			require.NoError(t, err)
		}
	})
}
