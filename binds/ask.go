package binds

import "context"

// Ask runs a query that returns one row, on a connection of its own that is kept between calls, and gives
// its columns as text, NULL as "". Neither a pool that is used up nor a probe delays it. Calls take turns.
func (e *Engine) Ask(ctx context.Context, query string) (row []string, err error) {
	err = e.asks.use(ctx, e.connector, func(ask Ask) (err error) {
		row, err = ask(ctx, query)
		return err
	})
	return row, err
}
