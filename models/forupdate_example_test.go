package models_test

import (
	"database/sql"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/models"
)

// The same locking read on two databases: on SQLite the transaction is the lock.
func ExampleForUpdate() {
	pg, lite := bun.NewDB(new(sql.DB), pgdialect.New()), bun.NewDB(new(sql.DB), sqlitedialect.New())
	for _, db := range []*bun.DB{pg, lite} {
		fmt.Println(models.ForUpdate(db.NewSelect().TableExpr("jobs AS j").Where("state = ?", "new").Limit(1), models.Of("j"), models.SkipLocked))
	}
	// Output:
	// SELECT * FROM jobs AS j WHERE (state = 'new') LIMIT 1 FOR UPDATE OF "j" SKIP LOCKED
	// SELECT * FROM jobs AS j WHERE (state = 'new') LIMIT 1
}
