package models_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/models"
)

// A Page has a field of most types.
type Page struct {
	ID     int64 `bun:",pk,autoincrement"`
	Body   models.LongText
	Meta   models.JSON[Meta]
	Tags   models.List[string]
	Draft  models.Serialized[*Meta] `bun:",nullzero"`
	Status models.Enum[PageStatus]
}

type Meta struct {
	Author string `json:"author"`
}

type PageStatus string

func (PageStatus) Values() []PageStatus { return []PageStatus{"draft", "live"} }

// memory opens a database in memory with empty tables for the models.
func memory(ctx context.Context, tables ...any) (*bun.DB, error) {
	sqlDB, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	sqlDB.SetMaxOpenConns(1)
	db := bun.NewDB(sqlDB, sqlitedialect.New())
	if err := models.Register(db, tables...); err != nil {
		return nil, err
	}
	return db, db.ResetModel(ctx, tables...)
}

func closeExample(db *bun.DB) {
	if err := db.Close(); err != nil {
		fmt.Println(err)
	}
}

func ExampleRegister() {
	type Note struct {
		Body  models.LongText
		Meta  models.JSON[Meta]
		Draft models.Serialized[Meta]
	}
	for _, d := range []schema.Dialect{pgdialect.New(), withoutServer{mysqldialect.New()}, sqlitedialect.New()} {
		db := bun.NewDB(nil, d)
		if err := models.Register(db, (*Note)(nil)); err != nil {
			fmt.Println(err)
		}
		fmt.Println(db.NewCreateTable().Model((*Note)(nil)))
	}
	// Output:
	// CREATE TABLE "notes" ("body" TEXT, "meta" JSONB, "draft" BYTEA)
	// CREATE TABLE `notes` (`body` LONGTEXT, `meta` JSON, `draft` LONGBLOB)
	// CREATE TABLE "notes" ("body" TEXT, "meta" TEXT, "draft" BLOB)
}

// withoutServer is a MySQL dialect that asks no server for its version.
type withoutServer struct{ *mysqldialect.Dialect }

func (withoutServer) Init(*sql.DB) {}

func Example_fields() {
	ctx := context.Background()
	db, err := memory(ctx, (*Page)(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeExample(db)

	page := &Page{
		Body:   "It was a dark and stormy night …",
		Meta:   models.JSON[Meta]{V: Meta{Author: "ada"}},
		Tags:   models.List[string]{"night", "storm"},
		Status: models.MustEnum[PageStatus]("live"),
	}
	if _, err := db.NewInsert().Model(page).Exec(ctx); err != nil {
		fmt.Println(err)
	}
	var got Page
	if err := db.NewSelect().Model(&got).Where("status = ?", page.Status).Scan(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(got.Body, got.Meta.V.Author, got.Tags, got.Draft.V, got.Status)
	text, err := json.Marshal(got)
	fmt.Println(string(text), err)
	// Output:
	// It was a dark and stormy night … ada [night storm] <nil> live
	// {"ID":1,"Body":"It was a dark and stormy night …","Meta":{"author":"ada"},"Tags":["night","storm"],"Draft":null,"Status":"live"} <nil>
}

// The path into a JSON column is spelled as the database does.
func ExampleJSON() {
	ctx := context.Background()
	db, err := memory(ctx, (*Page)(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeExample(db)

	pages := []*Page{{Body: "one"}, {Body: "two", Meta: models.JSON[Meta]{V: Meta{Author: "ada"}}}}
	if _, err := db.NewInsert().Model(&pages).Exec(ctx); err != nil {
		fmt.Println(err)
	}
	var body string
	// PostgreSQL: meta->>'author' = ?; MySQL and MariaDB: JSON_VALUE(meta, '$.author') = ?
	q := db.NewSelect().Model((*Page)(nil)).Column("body").Where("meta->>'$.author' = ?", "ada")
	fmt.Println(q.Scan(ctx, &body), body)

	var meta string // never NULL, unless the field says nullzero
	fmt.Println(db.NewSelect().Model((*Page)(nil)).Column("meta").Where("body = 'one'").Scan(ctx, &meta), meta)
	// Output:
	// <nil> two
	// <nil> {"author":""}
}

func ExampleListHas() {
	for _, d := range []schema.Dialect{pgdialect.New(), mysqldialect.New(), sqlitedialect.New()} {
		fmt.Println(schema.NewQueryGen(d).FormatQuery("?", models.ListHas("tags", "red")))
	}
	// Output:
	// "tags" @> '["red"]'::jsonb
	// JSON_CONTAINS(`tags`, '"red"')
	// EXISTS (SELECT 1 FROM json_each("tags") WHERE value = json_extract('"red"', '$'))
}

// A field's encoding changes from gob to JSON: what is stored stays readable.
func ExampleSerializedAs() {
	before := models.Serialized[map[string]int]{V: map[string]int{"hits": 3}}
	stored, err := before.Value()
	if err != nil {
		fmt.Println(err)
	}
	var after models.SerializedAs[map[string]int, models.AsJSON]
	fmt.Println(after.Scan(stored), after.V)
	stored, err = after.Value()
	fmt.Printf("%q %v\n", stored, err)
	fmt.Println(after.Scan("what is this?"))
	// Output:
	// <nil> map[hits:3]
	// "\xbd\x02{\"hits\":3}\n" <nil>
	// models: read serialized value as map[string]int: models: unknown encoding 7768: not a serialized value, or a later version's
}

func ExampleEnum() {
	_, err := models.EnumOf[PageStatus]("deleted")
	fmt.Println(err)
	var status models.Enum[PageStatus]
	fmt.Println(status.Scan("gone"))
	fmt.Println(json.Unmarshal([]byte(`"lost"`), &status))
	fmt.Println(status.Set("live"), status)
	// Output:
	// models: "deleted" is no models_test.PageStatus (have draft, live)
	// models: "gone" is no models_test.PageStatus (have draft, live)
	// models: "lost" is no models_test.PageStatus (have draft, live)
	// <nil> live
}

func ExampleEnumCheck() {
	db := bun.NewDB(nil, pgdialect.New())
	type Ticket struct{ Status models.Enum[PageStatus] }
	if err := models.Register(db, (*Ticket)(nil)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(db.NewCreateTable().Model((*Ticket)(nil)).
		ColumnExpr("CONSTRAINT ticket_status CHECK (?)", models.EnumCheck[PageStatus]("status")))
	// Output: CREATE TABLE "tickets" ("status" VARCHAR, CONSTRAINT ticket_status CHECK ("status" IN ('draft', 'live')))
}

// patientKeys would read its secrets from a vault.
var (
	patientKeys, _ = models.NewKeyRing(exampleKey("2026-01"))
	nextKey        = exampleKey("2026-02")
)

func exampleKey(id string) *models.Key {
	k, err := models.NewKey(id, bytes.Repeat([]byte(id[6:]), models.KeySize))
	if err != nil {
		panic(err)
	}
	return k
}

type patientDiagnosis struct{}

func (patientDiagnosis) Encryption() models.Encryption {
	return models.Encryption{Table: "patients", Column: "diagnosis", Keys: patientKeys}
}

type Patient struct {
	ID        string `bun:",pk"` // made by the program: known before the insert
	Diagnosis models.Encrypted[string, patientDiagnosis]
}

func ExampleEncrypted() {
	ctx := context.Background()
	db, err := memory(ctx, (*Patient)(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeExample(db)

	for _, p := range []*Patient{{ID: "ada"}, {ID: "bob"}} {
		if err := p.Diagnosis.Set(ctx, "measles of "+p.ID, p.ID); err != nil {
			fmt.Println(err)
		}
		if _, err := db.NewInsert().Model(p).Exec(ctx); err != nil {
			fmt.Println(err)
		}
	}
	var ada Patient
	load := func() error { return db.NewSelect().Model(&ada).Where("id = 'ada'").Scan(ctx) }
	fmt.Println(load())
	fmt.Println(ada)
	fmt.Println(ada.Diagnosis.Get(ctx, ada.ID))

	// Somebody without the key gives Ada Bob's diagnosis.
	_, err = db.NewRaw("UPDATE patients SET diagnosis = (SELECT diagnosis FROM patients WHERE id = 'bob')").Exec(ctx)
	fmt.Println(err, load())
	_, err = ada.Diagnosis.Get(ctx, ada.ID)
	fmt.Println(err, errors.Is(err, models.ErrTampered))
	// Output:
	// <nil>
	// {ada [encrypted]}
	// measles of ada <nil>
	// <nil> <nil>
	// models: decrypt patients.diagnosis with key "2026-01": it was changed, or it belongs to another table, column or row true
}

func ExampleKeyRing_Rotate() {
	ctx := context.Background()
	old, err := patientKeys.CurrentKey(ctx)
	defer func() { _ = patientKeys.Rotate(old) }() // for the other examples
	p := Patient{ID: "ada"}
	fmt.Println(err, p.Diagnosis.Set(ctx, "measles", p.ID), p.Diagnosis.KeyID())
	if err := patientKeys.Rotate(nextKey); err != nil {
		fmt.Println(err)
	}

	fmt.Println(p.Diagnosis.Get(ctx, p.ID)) // the old key is still there
	fmt.Println(p.Diagnosis.Rotate(ctx, p.ID))
	fmt.Println(p.Diagnosis.KeyID())
	// Output:
	// <nil> <nil> 2026-01
	// measles <nil>
	// true <nil>
	// 2026-02
}

func ExampleKeysInUse() {
	ctx := context.Background()
	old, err := patientKeys.CurrentKey(ctx)
	check(err)
	defer func() { check(patientKeys.Rotate(old)) }() // for the other examples
	db, err := memory(ctx, (*Patient)(nil))
	check(err)
	defer closeExample(db)
	p := &Patient{ID: "ada"}
	check(p.Diagnosis.Set(ctx, "measles", p.ID))
	_, err = db.NewInsert().Model(p).Exec(ctx)
	check(err)
	check(patientKeys.Rotate(nextKey)) // in all processes, before rows are counted

	uses, err := models.KeysInUse(ctx, db, (*Patient)(nil))
	fmt.Println(uses.Rows(old.ID()), uses.Rows(nextKey.ID()), err)

	_, err = p.Diagnosis.Rotate(ctx, p.ID) // each row that has it
	check(err)
	_, err = db.NewUpdate().Model(p).Column("diagnosis").WherePK().Exec(ctx)
	check(err)

	uses, err = models.KeysInUse(ctx, db, (*Patient)(nil))
	fmt.Println(uses.Rows(old.ID()), uses.Rows(nextKey.ID()), err)
	if uses.Rows(old.ID()) > 0 || uses.Unknown() > 0 { // a later version's values may name the key, too
		return
	}
	fmt.Println(patientKeys.Forget(old.ID()), patientKeys.IDs())
	// Output:
	// 1 0 <nil>
	// 0 1 <nil>
	// <nil> [2026-02]
}

func ExampleWithFieldTypes() {
	sqldb, err := sql.Open("sqlite", ":memory:")
	check(err)
	db := bun.NewDB(sqldb, models.WithFieldTypes(sqlitedialect.New()))
	defer closeExampleDB(db)

	type Article struct {
		ID   uuid.UUID `bun:",pk"`
		Body models.LongText
		Data models.Serialized[[]string]
	}
	fmt.Println(db.NewCreateTable().Model((*Article)(nil)))
	// Output: CREATE TABLE "articles" ("id" TEXT NOT NULL, "body" TEXT, "data" BLOB, PRIMARY KEY ("id"))
}
