package models_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/models"
)

func ExampleFetchPage() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	order := models.Order{models.Desc("words").NullsLast()}
	for cursor := ""; ; {
		page, err := models.FetchPage[article](ctx, db.NewSelect(), order, models.After(cursor), 2)
		check(err)
		for _, a := range page.Items {
			fmt.Println(a.Title)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		fmt.Println("--")
	}
	// Output:
	// A long read
	// 50% off
	// --
	// Draft
}

// Who asks for a page may ask for any size, and bring any cursor.
func ExampleFetchPage_request() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	serve := func(cursor string, size int) {
		var articles []article
		q := db.NewSelect().Model(&articles).Column("title") // "words" only orders: it is neither in Items nor readable in Next
		page, err := models.FetchPage[article](ctx, q, models.Order{models.Desc("words").NullsLast()}, models.After(cursor), size, models.MaxPageSize(100))
		var badCursor *models.CursorError
		switch {
		case errors.As(err, &badCursor):
			fmt.Println("begin again:", err)
		case err != nil:
			fmt.Println("400:", err)
		default:
			fmt.Println(page.Items[0].Title, page.Items[0].Words == nil, page.Next != "")
		}
	}
	serve("", 1)
	serve("", 1_000_000)
	serve("AgAAAAA", 1)
	// Output:
	// A long read true true
	// 400: models: page: size 1000000: at least 1, and at most 100
	// begin again: models: cursor: made by an earlier version of this library, which did not seal them: begin at the first page
}

func ExampleCursorKeys() {
	ctx := context.Background()
	pool := openArticles(ctx)
	defer closeExampleDB(pool)

	key, err := models.ParseCursorKey("a2VlcCAzMiByYW5kb20gYnl0ZXMgb2YgeW91ciBvd24=") // openssl rand -base64 32
	check(err)
	db := bun.NewDB(pool.DB, models.WithFieldTypes(sqlitedialect.New(), models.CursorKeys(key))) // a manager has it from cursor_keys
	page, err := models.FetchPage[article](ctx, db.NewSelect(), nil, models.Position{}, 1)
	check(err)

	elsewhere := bun.NewDB(pool.DB, models.WithFieldTypes(sqlitedialect.New(), models.CursorKeys(key)))
	page, err = models.FetchPage[article](ctx, elsewhere.NewSelect(), nil, models.After(page.Next), 1)
	check(err)
	fmt.Println(page.Items[0].Title, key)
	// Output: A long read [cursor key withheld]
}

func ExampleCursorScope() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	fetch := func(tenant, cursor string) (models.Page[article], error) { // the conditions would be the tenant's, too
		return models.FetchPage[article](ctx, db.NewSelect(), models.Order{models.Asc("title")}, models.After(cursor), 1, models.CursorScope(tenant))
	}
	page, err := fetch("tenant 7", "")
	check(err)
	_, err = fetch("tenant 7", page.Next)
	fmt.Println(err)
	_, err = fetch("tenant 8", page.Next)
	fmt.Println(err)
	// Output:
	// <nil>
	// models: cursor: made for another order, table, scope or kind of database: begin at the first page
}

func ExampleBefore() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	last, err := models.FetchPage[article](ctx, db.NewSelect(), nil, models.Before(""), 1)
	check(err)
	before, err := models.FetchPage[article](ctx, db.NewSelect(), nil, models.Before(last.Prev), 1)
	check(err)
	fmt.Println(last.Items[0].Title, "after", before.Items[0].Title)
	// Output: Draft after A long read
}

func ExamplePaginate() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	page, err := models.Paginate[article](ctx, db.NewSelect(), models.Order{models.Asc("title")}, 2, 2)
	check(err)
	fmt.Printf("page %d of %d, %d rows in all: %s\n", page.Page, page.Pages, page.Total, page.Items[0].Title)
	// Output: page 2 of 2, 3 rows in all: Draft
}

func ExampleOrderBy() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	var titles []string
	err := db.NewSelect().Model((*article)(nil)).Column("title").
		Apply(models.OrderBy(models.Asc("words").NullsLast())).Scan(ctx, &titles)
	check(err)
	fmt.Printf("%q\n", titles)
	// Output: ["50% off" "A long read" "Draft"]
}

func ExampleParseOrder() {
	ctx := context.Background()
	db := openArticles(ctx)
	defer closeExampleDB(db)

	order, err := models.ParseOrder("-published nulls last,title", "published", "title") // as a user sends it
	check(err)
	var titles []string
	err = db.NewSelect().Model((*article)(nil)).Column("title").Apply(models.OrderBy(order...)).Scan(ctx, &titles)
	check(err)
	fmt.Printf("%q\n", titles)

	_, err = models.ParseOrder("-pubished", "published", "title")
	fmt.Println(err)
	// Output:
	// ["A long read" "50% off" "Draft"]
	// models: order by "pubished": no column to order by (did you mean "published"?): there are published, title
}
