package models_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type article struct {
	bun.BaseModel `bun:"table:articles"`

	ID        int64 `bun:",pk"`
	Title     string
	Words     *int64
	Published time.Time `bun:",nullzero"`
	Read      int64     `models:"epoch"` // Unix milliseconds
}

func openArticles(ctx context.Context) *bun.DB {
	db := openExampleDB()
	_, err := db.NewCreateTable().Model((*article)(nil)).Exec(ctx)
	check(err)
	long, short := int64(900), int64(120)
	day := time.Date(2024, 1, 31, 18, 0, 0, 0, time.UTC)
	articles := []article{
		{ID: 1, Title: "50% off", Words: &short, Published: day, Read: day.UnixMilli()},
		{ID: 2, Title: "A long read", Words: &long, Published: day.AddDate(0, 0, 1)},
		{ID: 3, Title: "Draft"},
	}
	_, err = db.NewInsert().Model(&articles).Exec(ctx)
	check(err)
	return db
}

func titles(ctx context.Context, q *bun.SelectQuery) []string {
	var titles []string
	check(q.Column("title").Order("id").Scan(ctx, &titles))
	return titles
}

func ExampleFilter() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)
	find := func(wanted map[string]any) {
		q := db.NewSelect().Model((*article)(nil)).ApplyQueryBuilder(models.Where(models.Filter(wanted, "id", "words", "published", "read")))
		fmt.Printf("%q\n", titles(ctx, q))
	}
	find(map[string]any{"id": []int{1, 3}})
	find(map[string]any{"id": []int{}})
	find(map[string]any{"words": nil})
	find(map[string]any{"words": [2]any{500, nil}})
	find(map[string]any{"published": models.Range{To: "2024-01-31"}}) // a day counts to its end
	find(map[string]any{"read": "2024-01-31"})                        // so it does in Unix milliseconds
	// Output:
	// ["50% off" "Draft"]
	// []
	// ["Draft"]
	// ["A long read"]
	// ["50% off"]
	// ["50% off"]
}

func ExampleFilter_unknownColumn() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	_, err := db.NewDelete().Model((*article)(nil)).
		ApplyQueryBuilder(models.Where(models.Filter(map[string]any{"pubished": "2024-01-31"}, "published", "words"))).
		Exec(ctx)
	fmt.Println(err)
	var refused *models.FilterError
	fmt.Println(errors.As(err, &refused))
	// Output:
	// models: models_test.article has no column "pubished" (did you mean "published"?): it has published, words
	// true
}

func ExampleWhere() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	q := db.NewSelect().Model((*article)(nil)).ApplyQueryBuilder(models.Where(
		models.Or(models.Gt("words", 500), models.Contains("title", "50%")),
		models.NotIn("id", 7, 8),
	))
	fmt.Printf("%q\n", titles(ctx, q))

	res, err := db.NewDelete().Model((*article)(nil)).ApplyQueryBuilder(models.Where(models.IsNull("published"))).Exec(ctx)
	check(err)
	fmt.Println(res.RowsAffected())
	// Output:
	// ["50% off" "A long read"]
	// 1 <nil>
}

func ExampleInZone() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	sydney := time.FixedZone("AEDT", 11*60*60)
	q := db.NewSelect().Model((*article)(nil)).ApplyQueryBuilder(models.Where(
		models.InZone(sydney, models.Eq("published", "2024-02-01")))) // 18:00 UTC was the next day there
	fmt.Printf("%q\n", titles(ctx, q))
	// Output: ["50% off"]
}

func ExampleEscapeLike() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	user := "50%"
	q := db.NewSelect().Model((*article)(nil)).ApplyQueryBuilder(models.Where(models.Like("title", models.EscapeLike(user)+" _ff")))
	fmt.Printf("%q\n", titles(ctx, q))
	// Output: ["50% off"]
}
