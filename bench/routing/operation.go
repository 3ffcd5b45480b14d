package routing

import (
	"context"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

// An operation is what is measured.
type operation struct {
	name string
	do   func(ctx context.Context, db peers.DB) error

	binderyOnly bool // only bindery is compared with what it is built on
	inSession   bool // bindery's turn is in a session that has written and read before
	inTx        bool // all of a turn is in one transaction
}

func get(ctx context.Context, db peers.DB) error {
	_, err := db.Get(ctx, noop.Row.ID)
	return err
}

var (
	pointSelect = operation{name: "point SELECT", do: get}
	insert      = operation{name: "INSERT", do: func(ctx context.Context, db peers.DB) error {
		return db.Insert(ctx, noop.Row)
	}}
	forUpdate = operation{name: "SELECT … FOR UPDATE", do: func(ctx context.Context, db peers.DB) error {
		_, err := db.GetForUpdate(ctx, noop.Row.ID)
		return err
	}}
	rawSelect = operation{name: "raw SELECT", do: func(ctx context.Context, db peers.DB) error {
		_, err := db.GetRaw(ctx, noop.Row.ID)
		return err
	}}
	sessionSelect = operation{name: "point SELECT in a session", do: get, binderyOnly: true, inSession: true}
	txSelect      = operation{name: "point SELECT in a transaction", do: get, binderyOnly: true, inTx: true}
)

// operations are in the order of the page.
var operations = []operation{pointSelect, insert, forUpdate, rawSelect, sessionSelect, txSelect}
