package models_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type city struct {
	bun.BaseModel `bun:"table:cities"`

	Code   string `bun:",pk"`
	Name   string
	People int64
}

func ExampleBulkInsert() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*city)(nil)).Exec(ctx)
	check(err)

	cities := []city{{Code: "OSL", Name: "Oslo"}, {Code: "BER", Name: "Berlin"}, {Code: "ROM", Name: "Roma"}}
	done, err := models.BulkInsert(ctx, db, cities, models.BatchRows(2), models.Progress(func(r models.BulkResult) {
		fmt.Println(r.Rows, "of", len(cities))
	}))
	check(err)
	fmt.Println(done.Rows, "rows in", done.Batches, "batches")

	more := []city{{Code: "PAR", Name: "Paris"}, {Code: "LON", Name: "London"}, {Code: "ROM", Name: "Roma"}}
	_, err = models.BulkInsert(ctx, db, more, models.BatchRows(2), models.CommitEachBatch())
	var failed *models.BulkError
	if errors.As(err, &failed) {
		fmt.Printf("rows [%d:%d] failed, %d are in\n", failed.From, failed.To, failed.Kept)
	}
	// Output:
	// 2 of 3
	// 3 of 3
	// 3 rows in 2 batches
	// rows [2:3] failed, 2 are in
}

func ExampleBulkInsertSeq() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*city)(nil)).Exec(ctx)
	check(err)

	lines := []string{"OSL", "BER", "ROM"} // of a file, say
	rows := func(yield func(city) bool) {
		for _, line := range lines {
			if !yield(city{Code: line}) {
				return
			}
		}
	}
	done, err := models.BulkInsertSeq(ctx, db, rows)
	check(err)
	fmt.Println(done.Rows)
	// Output: 3
}

func ExampleIgnoreConflicts() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*city)(nil)).Exec(ctx)
	check(err)

	for range 2 {
		done, err := models.BulkInsert(ctx, db, []city{{Code: "OSL"}, {Code: "BER"}}, models.IgnoreConflicts())
		check(err)
		fmt.Println(done.Rows-done.Ignored, "new,", done.Ignored, "known")
	}
	// Output:
	// 2 new, 0 known
	// 0 new, 2 known
}

func ExampleReplaceOnConflict() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*city)(nil)).Exec(ctx)
	check(err)

	for people := range 2 {
		rows := []city{{Code: "OSL", Name: fmt.Sprint("name ", people), People: int64(people)}}
		_, err := models.BulkInsert(ctx, db, rows, models.ReplaceOnConflict(nil, "people"))
		check(err)
	}
	var row city
	check(db.NewSelect().Model(&row).Scan(ctx))
	fmt.Println(row.Name, row.People)
	// Output: name 0 1
}
