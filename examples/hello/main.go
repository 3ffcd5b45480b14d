package main

import (
	"context"
	"fmt"
	"log"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/pgbind"     // postgres://
	_ "github.com/bindery-go/bindery/binds/sqlitebind" // sqlite:
	"github.com/bindery-go/bindery/manager"
)

// Accounts marks the models of the accounts database.
type Accounts struct{}

func (Accounts) BindKey() binds.Key { return "accounts" }

type User struct {
	bun.BaseModel `bun:"table:users"`
	Accounts

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

func main() {
	ctx := context.Background()
	m, err := manager.Open(ctx, "config.toml")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	if err := m.CreateTables(ctx, (*User)(nil)); err != nil { // where they are missing, on the writer
		log.Fatal(err)
	}
	if _, err := m.NewInsert(&User{Name: "Alice"}).Exec(ctx); err != nil { // the writer
		log.Fatal(err)
	}
	var users []User
	if err := m.NewSelect(&users).Where("name = ?", "Alice").Scan(ctx); err != nil { // a reader that has Alice, else the writer
		log.Fatal(err)
	}
	fmt.Println(len(users), users[0].Name)
}
