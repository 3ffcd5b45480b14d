package binds

import (
	"context"
	"database/sql/driver"
)

// Ask runs a query that returns one row, on a connection of its own that is kept between calls, and gives
// its columns as text, NULL as "". Neither a pool that is used up nor a probe delays it. Calls take turns.
func (e *Engine) Ask(ctx context.Context, query string) ([]string, error) {
	return e.asksOf(ctx, e.asks.keep.Load(), query)
}

// AskAt is Ask of the server with that identity, see [Probe], alone: nobody else's answer is taken for its. Where 16 connections in a
// row lead elsewhere it fails with [ErrRedial]. The identity "" is any server's, and so is every one where the driver is no [Positioner].
func (e *Engine) AskAt(ctx context.Context, server, query string) ([]string, error) {
	by, ok := e.driver.(Positioner)
	if !ok || server == "" {
		return e.Ask(ctx, query)
	}
	return e.asksOf(ctx, &keeps{by, server}, query)
}

func (e *Engine) asksOf(ctx context.Context, keep *keeps, query string) (row []string, err error) {
	err = e.asks.use(ctx, e.connector, keep, func(conn driver.Conn) (err error) {
		row, err = AskConn(conn)(ctx, query)
		return err
	})
	return row, err
}
