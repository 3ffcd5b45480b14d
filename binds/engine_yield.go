package binds

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// Yield has the engine's pools make their connections by next from now on, those of [Engine.Native] by native, and closes what is
// idle: the engine is used no more, and nothing takes its place as it is. Connections in use stay as they are, and so does what the engine keeps beside
// its pools, see [Engine.CloseOwn]. Next and native must be open for as long as the pools are used, and must not lead back here.
func (e *Engine) Yield(next, native driver.Connector) {
	e.connector.next.Store(&next)
	e.nativeConnector.next.Store(&native)
	e.CloseIdle()
}

// CloseIdle closes the idle connections of the engine's pools.
func (e *Engine) CloseIdle() { e.pools.closeIdle() }

// CloseIdle closes the idle connections of a pool that was opened with p.
func CloseIdle(db *sql.DB, p Pool) {
	db.SetMaxIdleConns(-1)
	db.SetMaxIdleConns(max(p.WithDefaults().MaxIdle, 0))
}

// CloseOwn closes what the engine keeps beside its pools: the connections for probes, questions and locks. Probes, questions and
// locks fail from then on.
func (e *Engine) CloseOwn() error {
	e.probe.close()
	e.asks.close()
	if err := e.renew().closeLocks(); err != nil {
		return fmt.Errorf("binds: close %q: %w", e.name, err)
	}
	return nil
}

// NativeConnector returns where the connections of [Engine.Native] come from.
func (e *Engine) NativeConnector() driver.Connector { return lateNative{e} }

// lateNative opens the pool first whose connector it uses: that is closed with it.
type lateNative struct{ engine *Engine }

func (c lateNative) Connect(ctx context.Context) (driver.Conn, error) {
	if _, err := c.engine.Native(); err != nil {
		return nil, err
	}
	return c.engine.nativeConnector.Connect(ctx)
}

func (c lateNative) Driver() driver.Driver { return c.engine.connector.Driver() }
