package binds

import "context"

// Ask runs a query that returns one row, on the connection that is kept for [Engine.Probe], and gives
// its columns as text, NULL as "". A pool that is used up does not delay it. Calls take turns.
func (e *Engine) Ask(ctx context.Context, query string) (row []string, err error) {
	err = e.probe.use(ctx, e.connector, func(ask Ask) (err error) {
		row, err = ask(ctx, query)
		return err
	})
	return row, err
}
