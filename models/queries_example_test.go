package models_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type sample struct {
	bun.BaseModel `bun:"table:samples"`

	ID     int64 `bun:",pk,autoincrement"`
	Sensor string
	Taken  int64
	Value  int64
}

type sensor struct {
	bun.BaseModel `bun:"table:sensors"`

	Name    string `bun:",pk"`
	Outside bool
}

// openSamples has two sensors, one of them outside, with five samples.
func openSamples(ctx context.Context) *bun.DB {
	db := openExampleDB()
	for _, model := range []any{(*sample)(nil), (*sensor)(nil)} {
		_, err := db.NewCreateTable().Model(model).Exec(ctx)
		check(err)
	}
	_, err := models.BulkInsert(ctx, db, []sample{
		{Sensor: "roof", Taken: 1, Value: -3}, {Sensor: "hall", Taken: 1, Value: 19}, {Sensor: "roof", Taken: 2, Value: -1},
		{Sensor: "roof", Taken: 3, Value: 2}, {Sensor: "hall", Taken: 4, Value: 21},
	})
	check(err)
	_, err = models.BulkInsert(ctx, db, []sensor{{Name: "roof", Outside: true}, {Name: "hall"}})
	check(err)
	return db
}

func ExampleTopN() {
	ctx := context.Background()
	db := openSamples(ctx)
	defer closeExampleDB(db)

	var rows []sample
	q := db.NewSelect().Model(&rows).Where("taken > 1")
	check(models.TopN(db, q, 2, []string{"sensor"}, "value DESC").Scan(ctx))
	for _, r := range rows {
		fmt.Println(r.Sensor, r.Value)
	}
	// Output:
	// hall 21
	// roof 2
	// roof -1
}

func ExampleTopNOf() {
	ctx := context.Background()
	db := openSamples(ctx)
	defer closeExampleDB(db)

	outside := db.NewSelect().Model((*sensor)(nil)).ColumnExpr("name AS sensor").Where("outside")
	var rows []sample
	q := db.NewSelect().Model(&rows)
	check(models.TopNOf(db, outside, q, 2, []string{"sensor"}, "taken DESC").Scan(ctx))
	for _, r := range rows {
		fmt.Println(r.Sensor, r.Taken)
	}
	// Output:
	// roof 3
	// roof 2
}

func ExampleLatest() {
	ctx := context.Background()
	db := openSamples(ctx)
	defer closeExampleDB(db)

	var rows []sample
	check(models.Latest(db, db.NewSelect().Model(&rows), []string{"sensor"}, "taken").Scan(ctx))
	for _, r := range rows {
		fmt.Println(r.Sensor, r.Taken, r.Value)
	}
	// Output:
	// hall 4 21
	// roof 3 2
}

type signup struct {
	bun.BaseModel `bun:"table:signups"`

	ID      int64 `bun:",pk,autoincrement"`
	Email   string
	Created time.Time
	TTL     int64 // seconds
}

func ExampleAddSeconds() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*signup)(nil)).Exec(ctx)
	check(err)
	_, err = models.BulkInsert(ctx, db, []signup{
		{Email: "late@example.org", Created: time.Now().Add(-time.Hour), TTL: 600},
		{Email: "soon@example.org", Created: time.Now().Add(-time.Minute), TTL: 600},
	})
	check(err)

	var expired []string
	q := db.NewSelect().Model((*signup)(nil)).Column("email").
		Where("? < ?", models.AddSeconds("created", models.Col("ttl")), models.Now())
	check(q.Scan(ctx, &expired))
	fmt.Println(expired)
	// Output: [late@example.org]
}

func ExampleNow() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*signup)(nil)).Exec(ctx)
	check(err)

	// The database's clock, not this machine's.
	_, err = db.NewInsert().Model(&signup{Email: "x@example.org"}).Value("created", "?", models.Now()).Exec(ctx)
	check(err)
	n, err := db.NewSelect().Model((*signup)(nil)).
		Where("created > ?", models.AddSeconds(models.Now(), -60)).Count(ctx)
	check(err)
	fmt.Println(n)
	// Output: 1
}

type parcel struct {
	bun.BaseModel `bun:"table:parcels"`

	ID   int64           `bun:",pk,autoincrement"`
	Data json.RawMessage `bun:"type:json"`
}

func ExampleJSONText() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*parcel)(nil)).Exec(ctx)
	check(err)
	_, err = models.BulkInsert(ctx, db, []parcel{
		{Data: json.RawMessage(`{"to": {"town": "Oslo"}, "grams": 900, "tags": ["fragile", "gift"]}`)},
		{Data: json.RawMessage(`{"to": {"town": "Bergen"}, "grams": 70, "express": true}`)},
	})
	check(err)

	var heavy, express string
	var tag string
	q := db.NewSelect().Model((*parcel)(nil))
	check(q.Clone().ColumnExpr("?", models.JSONText("data", "to", "town")).
		Where("? > 500", models.JSONInt("data", "grams")).Scan(ctx, &heavy))
	check(q.Clone().ColumnExpr("?", models.JSONText("data", "to", "town")).
		Where("?", models.JSONBool("data", "express")).Scan(ctx, &express))
	check(q.Clone().ColumnExpr("?", models.JSONText("data", "tags", 1)).
		OrderExpr("? DESC", models.JSONFloat("data", "grams")).Limit(1).Scan(ctx, &tag))
	fmt.Println(heavy, express, tag)
	// Output: Oslo Bergen gift
}

type mail struct {
	bun.BaseModel `bun:"table:mails"`

	ID    int64 `bun:",pk,autoincrement"`
	To    string
	RunAt time.Time
}

func ExampleClaim() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)
	_, err := db.NewCreateTable().Model((*mail)(nil)).Exec(ctx)
	check(err)
	yesterday := time.Now().Add(-24 * time.Hour)
	_, err = models.BulkInsert(ctx, db, []mail{
		{To: "anna", RunAt: yesterday}, {To: "bert", RunAt: yesterday.Add(time.Hour)}, {To: "carl", RunAt: time.Now().Add(time.Hour)},
	})
	check(err)

	due := func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("run_at <= ?", models.Now()).Order("run_at")
	}
	lease := func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Set("run_at = ?", models.AddSeconds(models.Now(), 60)) // comes again if this worker dies
	}
	for {
		mails, err := models.Claim[mail](ctx, db, 1, due, lease)
		check(err)
		if len(mails) == 0 {
			break
		}
		fmt.Println("to", mails[0].To)
		_, err = db.NewDelete().Model(&mails[0]).WherePK().Exec(ctx) // done
		check(err)
	}
	// Output:
	// to anna
	// to bert
}
