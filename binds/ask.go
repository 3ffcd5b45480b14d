package binds

import (
	"context"
	"database/sql/driver"
)

// Ask runs a query that returns one row, on a connection of its own that is kept between calls, and gives
// its columns as text, NULL as "". Neither a pool that is used up nor a probe delays it. Calls take turns.
func (e *Engine) Ask(ctx context.Context, query string) (row []string, err error) {
	err = e.asks.use(ctx, e.connector, func(conn driver.Conn) (err error) {
		row, err = AskConn(conn)(ctx, query)
		return err
	})
	return row, err
}
