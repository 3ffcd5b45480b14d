package binds

import (
	"context"
	"database/sql/driver"

	"github.com/uptrace/bun/schema"
)

// A Driver knows one kind of database. Its methods must be safe for concurrent use.
//
// Optional powers are further interfaces that a Driver or its Source may have, found by type
// assertion as in database/sql/driver: [FaultClassifier], [NativeSource], [PoolBounder],
// [RoleSplitter], [NamedLocker], and of its connections [SessionKeeper].
type Driver interface {
	// Name is the database's name in messages: "PostgreSQL".
	Name() string
	// Open reads uri. It makes no connection. Its errors name the part that is wrong and the
	// cure, and hold no part of a password: not even of one that made the URI malformed.
	Open(ctx context.Context, uri string) (Source, error)
	// Dialect returns a Bun dialect that nobody else uses: a dialect holds its models' tables.
	Dialect() schema.Dialect
}

// A Source is one database as its URI names it: where the connections of either role come from.
// It may hold the password: an [Engine] hides it from fmt and encoders. Its connectors must be pointers.
type Source interface {
	// Connector returns where connections for role come from. Those for a [Reader] are told at
	// once to refuse writes. A dead connection is found when it is taken from the pool, a
	// cancelled context ends the statement on the server too. Connector makes no connection.
	//
	// Each call serves one more engine of the source. If the connector has a Close method, it is
	// called once, when that engine closes, and must not disturb the others: where engines share
	// something, count them.
	Connector(role Role) driver.Connector
}

// A NativeSource is a [Source] whose Connector wraps what the driver makes. NativeConnector gives
// connections of the driver's own type, as sql.Conn.Raw needs them. It is called, and its connector
// closed, as [Source.Connector] says.
type NativeSource interface {
	NativeConnector(role Role) driver.Connector
}

// A PoolBounder is a [Source] that cannot do with every pool: SQLite has one writing connection,
// and a memory database dies with its last one. BoundPool returns what p becomes; p has its
// defaults filled in.
type PoolBounder interface {
	BoundPool(role Role, p Pool) Pool
}

// A RoleSplitter is a [Source] that says whether one URI is worth two engines. SQLite says yes for
// a file: readers beside the one writing connection. Without this method the answer is no, and
// the writer serves the reads of a bind without readers.
type RoleSplitter interface {
	SplitsRoles() bool
}
