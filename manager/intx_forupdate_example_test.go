package manager_test

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// Account is a row that transactions change by what they have read of it.
type Account struct {
	bun.BaseModel `bun:"table:accounts"`
	Accounts

	ID    int64 `bun:",pk,autoincrement"`
	Cents int64
}

// The row is locked from the read on, on every database: nobody changes it before the transaction ends.
func ExampleDBManager_InTx_forUpdate() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()
	if err := m.CreateTables(ctx, (*Account)(nil)); err != nil {
		panic(err)
	}
	if _, err := m.NewInsert(&Account{Cents: 100}).Exec(ctx); err != nil {
		panic(err)
	}
	var account Account
	id := 1
	err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		if err := models.ForUpdate(m.NewSelect(&account)).Where("id = ?", id).Scan(ctx); err != nil {
			return err
		}
		account.Cents -= 10
		_, err := m.NewUpdate(&account).Column("cents").WherePK().Exec(ctx)
		return err
	})
	fmt.Println(account.Cents, err)
	// Output: 90 <nil>
}
