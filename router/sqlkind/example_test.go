package sqlkind_test

import (
	"fmt"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

func ExampleOf() {
	for _, query := range []string{
		`SELECT * FROM "users" WHERE "id" = 42`,
		`SELECT * FROM "users" WHERE "id" = 42 FOR UPDATE`,
		`WITH gone AS (DELETE FROM "users" RETURNING *) SELECT * FROM gone`,
		`SELECT 'FOR UPDATE', "update" FROM "t" -- nextval('s')`,
		`SELECT nextval ('s')`,
	} {
		fmt.Println(sqlkind.Of(dialect.PG, query))
	}
	// Output:
	// read
	// write
	// write
	// read
	// write
}

func ExampleNew() {
	c, err := sqlkind.New(dialect.PG, "charge_*")
	fmt.Println(c.Of("SELECT charge_card(7)"), c.Of("SELECT lower('A')"), err)

	_, err = sqlkind.New(dialect.PG, "charge card")
	fmt.Println(err)
	// Output:
	// write read <nil>
	// sqlkind: writer function "charge card": ' ' is no part of a name (want a name such as charge_* or billing.charge_*)
}

func ExampleClassifier_Harmless() {
	c, err := sqlkind.New(dialect.PG)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Harmless("SELECT lower(name) FROM users WHERE (id = 7)"))
	fmt.Println(c.Harmless("SELECT charge(7)"))
	// Output:
	// true
	// false
}

func ExampleClassifier_EndsWithTx() {
	c, err := sqlkind.New(dialect.PG)
	if err != nil {
		panic(err)
	}
	for _, query := range []string{
		"SELECT set_config('app.tenant', '42', true)",
		"SELECT set_config('app.tenant', '42', false)",
		"SET LOCAL statement_timeout = '5s'",
		"SET TRANSACTION READ WRITE",
	} {
		fmt.Println(c.EndsWithTx(query), query)
	}
	// Output:
	// true SELECT set_config('app.tenant', '42', true)
	// false SELECT set_config('app.tenant', '42', false)
	// true SET LOCAL statement_timeout = '5s'
	// false SET TRANSACTION READ WRITE
}
