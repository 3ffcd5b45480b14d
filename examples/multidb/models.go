package main

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

// Accounts marks the models of the accounts database.
type Accounts struct{}

// BindKey names the bind.
func (Accounts) BindKey() binds.Key { return "accounts" }

// Audit marks the models of the audit database.
type Audit struct{}

// BindKey names the bind.
func (Audit) BindKey() binds.Key { return "audit" }

// User lives in accounts. Its events live in audit: a has-many relation is loaded by a query of its
// own, which goes to the events' bind.
type User struct {
	bun.BaseModel `bun:"table:bindery_tour_users,alias:u"`
	Accounts

	ID      int64    `bun:",pk,autoincrement"`
	Name    string   `bun:",notnull"`
	Balance int64    `bun:",notnull"`
	Events  []*Event `bun:"rel:has-many,join:id=user_id"`
}

// Event lives in audit.
type Event struct {
	bun.BaseModel `bun:"table:bindery_tour_events,alias:e"`
	Audit

	ID     int64     `bun:",pk,autoincrement"`
	UserID int64     `bun:",notnull"`
	Text   string    `bun:",notnull"`
	At     time.Time `bun:",notnull"`
}
