package routing

import (
	"context"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

// An operation is what is measured of each library.
type operation struct {
	name string
	do   func(ctx context.Context, db peers.DB) error
}

var (
	pointSelect = operation{"point SELECT", func(ctx context.Context, db peers.DB) error {
		_, err := db.Get(ctx, noop.Row.ID)
		return err
	}}
	insert = operation{"INSERT", func(ctx context.Context, db peers.DB) error {
		return db.Insert(ctx, noop.Row)
	}}
	forUpdate = operation{"SELECT … FOR UPDATE", func(ctx context.Context, db peers.DB) error {
		_, err := db.GetForUpdate(ctx, noop.Row.ID)
		return err
	}}
	rawSelect = operation{"raw SELECT", func(ctx context.Context, db peers.DB) error {
		_, err := db.GetRaw(ctx, noop.Row.ID)
		return err
	}}
)

// replicas is how many the routing forms choose among.
const replicas = 2
