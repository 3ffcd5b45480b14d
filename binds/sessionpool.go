package binds

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// A SessionKeeper is a driver's connection that is closed when its user gives it back after a statement that may have changed the
// session: see router/sqlkind.ChangesSession. The connections of every driver here are.
//
// Whoever gets a connection of a pool must find it as a new one is. A connection that keeps its session belongs to one user
// alone, who closes it.
type SessionKeeper interface {
	// KeepSession lets the connection stay open whatever its statements change, and wait for other writers as long as
	// its user does where the database has one writer at a time. It is called before the connection's first statement.
	KeepSession()
}

// SessionPool opens a pool beside the engine's own, for one user's work that may change the session: a migration. A connection
// that is given back keeps what statements have set, and serves the next one, so that statements which come one after another find
// one session. It has the engine's MaxOpen and is idle without limit. The caller closes it, and with it everything that
// was set, before the engine.
func (e *Engine) SessionPool() *sql.DB {
	db := sql.OpenDB(&sessionConnector{e.connector})
	db.SetMaxOpenConns(max(e.pool.MaxOpen, 0))
	db.SetMaxIdleConns(max(e.pool.MaxOpen, e.pool.MaxIdle, 1))
	return db
}

// A sessionConnector makes connections that keep their sessions. To close its pool does not close the engine's connector.
type sessionConnector struct{ of *connector }

func (c *sessionConnector) Connect(ctx context.Context) (driver.Conn, error) {
	return c.of.connectAs(ctx, func(conn driver.Conn) {
		if k, ok := conn.(SessionKeeper); ok {
			k.KeepSession()
		}
	})
}

func (c *sessionConnector) Driver() driver.Driver { return c.of.Driver() }
