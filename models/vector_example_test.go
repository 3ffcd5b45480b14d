package models_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"

	"github.com/bindery-go/bindery/models"
)

// VECTOR on MySQL and MariaDB, a BLOB here.
func ExampleVector() {
	type Passage struct {
		ID        int64 `bun:",pk,autoincrement"`
		Text      string
		Embedding models.Vector `bun:"type:vector(3)"`
	}
	ctx := context.Background()
	db, err := memory(ctx, (*Passage)(nil)) // it calls Register
	check(err)
	defer closeExample(db)

	_, err = db.NewInsert().Model(&[]Passage{
		{Text: "about cats", Embedding: models.Vector{0.9, 0.1, 0}},
		{Text: "about dogs", Embedding: models.Vector{0.1, 0.9, 0}},
	}).Exec(ctx)
	check(err)
	var p Passage
	same := models.Eq("embedding", models.Vector{0.1, 0.9, 0})
	check(db.NewSelect().Model(&p).ApplyQueryBuilder(models.Where(same)).Scan(ctx))
	fmt.Println(p.Text, p.Embedding)

	// The nearest, on MariaDB: q.OrderExpr("VEC_DISTANCE_EUCLIDEAN(embedding, ?)", near).Limit(10)
	fmt.Println(bun.NewDB(nil, withoutServer{mysqldialect.New()}).NewSelect().Model((*Passage)(nil)).Column("id").
		OrderExpr("VEC_DISTANCE_EUCLIDEAN(embedding, ?)", models.Vector{1, 0, 0}).Limit(10))

	_, err = db.NewInsert().Model(&Passage{Embedding: models.Vector{1, 2}}).Exec(ctx)
	fmt.Println(err != nil)
	_, err = models.Vector{}.Value()
	var refused *models.EncodeError
	fmt.Println(errors.As(err, &refused), err)
	// Output:
	// about dogs [0.1 0.9 0]
	// SELECT `passage`.`id` FROM `passages` AS `passage` ORDER BY VEC_DISTANCE_EUCLIDEAN(embedding, X'0000803f0000000000000000') LIMIT 10
	// true
	// true models: encode models.Vector: it has no element
}
