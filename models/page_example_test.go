package models_test

import (
	"context"
	"fmt"

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
