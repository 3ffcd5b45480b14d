package models

import (
	"reflect"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/modelhome"
)

// checkHome returns why models of type t must not be used on db: they live in another bind. In a bun.Tx
// and a bun.Conn nobody else would look. It finds no fault with a db that no manager has opened.
func checkHome(db bun.IDB, t reflect.Type) error { return modelhome.CheckModel(db.Dialect(), t) }

// checkQuery returns why q must not run on db: its model, or a query that is part of it, lives in another bind.
func checkQuery(db bun.IDB, q bun.Query) error { return modelhome.CheckQuery(db.Dialect(), q) }
