package models_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/models"
)

// Article has all mixins side by side.
type Article struct {
	models.Timestamps
	models.EpochTimestamps
	models.Version

	ID    int64 `bun:",pk,autoincrement"`
	Title string
}

// articles opens a database in memory with an empty table.
func articles(ctx context.Context) (*bun.DB, func()) {
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		panic(err)
	}
	pool.SetMaxOpenConns(1)
	db := bun.NewDB(pool, sqlitedialect.New())
	if _, err := db.NewCreateTable().Model((*Article)(nil)).Exec(ctx); err != nil {
		panic(err)
	}
	return db, func() { _ = db.Close() }
}

func ExampleTimestamps() {
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	ctx := models.WithClock(context.Background(), func() time.Time { return noon })
	db, done := articles(ctx)
	defer done()

	article := &Article{Title: "Draft"}
	_, err := db.NewInsert().Model(article).Exec(ctx)
	fmt.Println(article.CreatedAt, article.CreateTime, err)

	ctx = models.WithClock(ctx, func() time.Time { return noon.Add(time.Hour) })
	_, err = db.NewUpdate().Model((*Article)(nil)).Set("title = ?", "Final").Where("id = ?", article.ID).Exec(ctx)
	fmt.Println(err)

	err = db.NewSelect().Model(article).WherePK().Scan(ctx)
	fmt.Println(article.CreatedAt, article.UpdatedAt, article.RowVersion, err)
	// Output:
	// 2024-02-29 12:00:00 +0000 UTC 1709208000000 <nil>
	// <nil>
	// 2024-02-29 12:00:00 +0000 UTC 2024-02-29 13:00:00 +0000 UTC 2 <nil>
}

func ExampleEpochTimestamps() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()

	article := &Article{Title: "Imported"}
	article.CreateTime = 1709208000000 // the caller's value stays, and the date follows
	_, err := db.NewInsert().Model(article).Exec(ctx)
	fmt.Println(article.CreateDate, err)
	// Output: 2024-02-29 12:00:00 +0000 UTC <nil>
}

func ExampleUpdateVersioned() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()

	mine := &Article{Title: "Draft"}
	_, err := db.NewInsert().Model(mine).Exec(ctx)
	fmt.Println(mine.RowVersion, err)

	theirs := *mine
	theirs.Title = "Theirs"
	err = models.UpdateVersioned(ctx, db, &theirs)
	fmt.Println(theirs.RowVersion, err)

	mine.Title = "Mine"
	err = models.UpdateVersioned(ctx, db, mine)
	fmt.Println(mine.RowVersion, err)
	fmt.Println(errors.Is(err, models.ErrStale))
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 1 models: stale models_test.Article (id=1): held version 1, found 2: read the row again
	// true
}

func ExampleDeleteVersioned() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()

	article := &Article{Title: "Draft"}
	_, err := db.NewInsert().Model(article).Exec(ctx)
	fmt.Println(err)
	fmt.Println(models.DeleteVersioned(ctx, db, article))
	fmt.Println(models.DeleteVersioned(ctx, db, article))
	// Output:
	// <nil>
	// <nil>
	// models: stale models_test.Article (id=1): held version 1, the row is gone
}

func ExampleRetryStale() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()
	_, err := db.NewInsert().Model(&Article{Title: "Draft"}).Exec(ctx)
	fmt.Println(err)

	tries := 0
	err = models.RetryStale(ctx, 3, func(ctx context.Context) error {
		tries++
		var article Article
		if err := db.NewSelect().Model(&article).Where("id = 1").Scan(ctx); err != nil {
			return err
		}
		if tries == 1 { // somebody else comes between
			if _, err := db.NewUpdate().Model((*Article)(nil)).Set("title = 'Edited'").Where("id = 1").Exec(ctx); err != nil {
				return err
			}
		}
		article.Title += ", final"
		return models.UpdateVersioned(ctx, db, &article)
	})
	fmt.Println(tries, err)

	var title string
	err = db.NewSelect().Model((*Article)(nil)).Column("title").Where("id = 1").Scan(ctx, &title)
	fmt.Println(title, err)
	// Output:
	// <nil>
	// 2 <nil>
	// Edited, final <nil>
}

func ExampleToMap() {
	article := Article{ID: 7, Title: "Draft"}
	chosen, err := models.ToMap(article, models.PrimaryKeyColumns(), models.Columns("title"))
	fmt.Println(chosen, err)

	_, err = models.ToMap(article, models.Columns("titel"))
	fmt.Println(err)
	// Output:
	// map[id:7 title:Draft] <nil>
	// models: models_test.Article has no column "titel" (did you mean "title"?): it has created_at, updated_at, create_time, update_time, create_date, update_date, version, id, title
}

func ExampleFromMap() {
	var article Article
	err := models.FromMap(map[string]any{"id": 7.0, "title": "Draft", "created_at": "2024-02-29T12:00:00Z"}, &article, "id", "title", "created_at")
	fmt.Println(article.ID, article.Title, article.CreatedAt, err)

	fmt.Println(models.FromMap(map[string]any{"id": 7.5}, &article, "id"))
	// Output:
	// 7 Draft 2024-02-29 12:00:00 +0000 UTC <nil>
	// models: column "id" of models_test.Article: float64 into int64: the number does not fit without loss
}

func ExamplePrimaryKeys() {
	type Seat struct {
		Hall   string `bun:",pk"`
		Number int    `bun:",pk"`
		Guest  string
	}
	db, done := articles(context.Background())
	defer done()
	keys, err := models.PrimaryKeys(db, (*Seat)(nil))
	fmt.Println(keys, err)
	// Output: [hall number] <nil>
}

func ExampleOnInsert() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()
	db = db.WithQueryHook(models.OnInsert(func(_ context.Context, c models.Change[Article]) error {
		for _, article := range c.Rows {
			if article.Title == "" {
				return errors.New("an article needs a title")
			}
		}
		return nil
	}, nil)).WithQueryHook(models.OnInsert(nil, func(_ context.Context, c models.Change[Article]) {
		fmt.Println("committed:", c.Rows[0].Title)
	}, models.AfterCommit))

	_, err := db.NewInsert().Model(&Article{}).Exec(ctx)
	fmt.Println(err)
	for _, fail := range []error{errors.New("changed my mind"), nil} {
		err = db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&Article{Title: fmt.Sprint("written before ", fail)}).Exec(ctx)
			fmt.Println("inserted:", err)
			return errors.Join(err, fail)
		})
		fmt.Println(err)
	}
	// Output:
	// an article needs a title
	// inserted: <nil>
	// changed my mind
	// inserted: <nil>
	// committed: written before <nil>
	// <nil>
}
