package binds_test

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

// Billing marks the models of the billing database.
type Billing struct{}

func (Billing) BindKey() binds.Key { return "billing" }

// Invoice is a model of the billing database.
type Invoice struct {
	bun.BaseModel `bun:"table:invoices"`
	Billing

	ID int64 `bun:",pk,autoincrement"`
}

func ExampleKeyOf() {
	for _, model := range []any{&Invoice{}, []*Invoice{}, (*Invoice)(nil), Billing{}, binds.Key("billing")} {
		key, err := binds.KeyOf(model)
		fmt.Println(key, err)
	}
	type Draft struct{ ID int64 }
	key, err := binds.KeyOf(Draft{})
	fmt.Println(key, err)
	// Output:
	// billing <nil>
	// billing <nil>
	// billing <nil>
	// billing <nil>
	// billing <nil>
	// default <nil>
}

func ExampleAmbiguousBindError() {
	type Copied struct {
		Invoice
		Audit
	}
	_, err := binds.KeyOf(&Copied{})
	fmt.Println(err)
	// Output: binds: model binds_test.Copied has 2 markers, binds_test.Billing (bind "billing", as Invoice.Billing) and binds_test.Audit (bind "audit", as Audit): keep one
}

func ExampleNamedMarkerError() {
	type Receipt struct {
		Bind Audit // a marker says where a model lives only when it is embedded
		ID   int64
	}
	_, err := binds.KeyOf(&Receipt{})
	fmt.Println(err)
	// Output: binds: model binds_test.Receipt has the marker binds_test.Audit in the field Bind, where it says nothing: embed it, by a line that holds nothing but the type (a field that is no marker takes a tag, `bun:"-"` or its column's)
}

func ExampleDrivers_Open() {
	var drivers binds.Drivers
	_, err := drivers.Open(context.Background(), "main", "postgres://app:s3cret@db1/shop")
	fmt.Println(err)
	// Output: binds: open "main": no driver for scheme "postgres" (forgotten import of pgbind?)
}

func ExampleDrivers_Register() {
	var drivers binds.Drivers
	drivers.Register(&fakeDriver{}, "fake") // what importing a driver's package does to binds.Default

	engine, err := drivers.Open(context.Background(), "accounts/reader-1", "fake://app:s3cret@db1/shop",
		binds.As(binds.Reader), binds.WithPool(binds.Pool{MaxOpen: 8}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = engine.Close() }()
	fmt.Printf("%v, a %v with at most %d connections\n", engine, engine.Role(), engine.Pool().MaxOpen)
	// Output: accounts/reader-1, a reader with at most 8 connections
}

func ExampleURI() {
	uri := binds.NewURI("postgres://app:s3cret@db1/shop")
	fmt.Printf("%v %#v %q\n", uri, uri, uri)
	fmt.Printf("%+v\n", struct{ Writer binds.URI }{uri})
	// Output:
	// [URI withheld] [URI withheld] [URI withheld]
	// {Writer:[URI withheld]}
}
