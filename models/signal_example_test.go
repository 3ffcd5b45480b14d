package models_test

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// announcing returns db with a signal that tells of articles once they are committed.
func announcing(db *bun.DB) *bun.DB {
	return db.WithQueryHook(models.OnInsert(nil, func(_ context.Context, c models.Change[Article]) {
		fmt.Println("committed:", c.Rows[0].Title)
	}, models.AfterCommit))
}

func insertArticle(ctx context.Context, db bun.IDB, title string) {
	_, err := db.NewInsert().Model(&Article{Title: title}).Exec(ctx)
	fmt.Println("inserted:", title, err)
}

func ExampleAfterCommit() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()
	db = announcing(db)

	tx, err := db.BeginTx(ctx, nil)
	fmt.Println(err)
	insertArticle(ctx, tx, "kept")
	nested, err := tx.BeginTx(models.TxContext(ctx, tx), nil) // a savepoint
	fmt.Println(err)
	insertArticle(ctx, nested, "dropped")
	fmt.Println(nested.Rollback())
	fmt.Println(tx.Commit())
	// Output:
	// <nil>
	// inserted: kept <nil>
	// <nil>
	// inserted: dropped <nil>
	// <nil>
	// committed: kept
	// <nil>
}

func ExampleWithTransaction() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()
	db = announcing(db)

	// A transaction that Bun does not begin: whoever runs it says how it ends.
	tx, err := db.DB.BeginTx(ctx, nil)
	fmt.Println(err)
	var t models.Transaction
	_, err = db.NewInsert().Conn(tx).Model(&Article{Title: "Told"}).Exec(models.WithTransaction(ctx, db, &t))
	fmt.Println(err)
	if err := tx.Commit(); err != nil {
		t.RolledBack()
		return
	}
	t.Committed(ctx)
	// Output:
	// <nil>
	// <nil>
	// committed: Told
}
