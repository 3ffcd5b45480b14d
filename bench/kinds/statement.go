package kinds

import (
	"context"

	"github.com/uptrace/bun"
	"gorm.io/gorm"
	"xorm.io/xorm"
)

// A statement is one row of the table.
type statement struct {
	// name says what is particular about it.
	name string
	// primary says why only the primary may run it; nil if any server may.
	primary *reason
	// silent says that a real replica runs it nevertheless, without an error, where it does not count; else
	// a replica refuses what only the primary may run. The tests ask real servers.
	silent bool
	// by is how it is given to a library.
	by way
	// text is the statement, for libraries that have no builder for it.
	text string
	// build are the libraries' builders for it, where they have one.
	build builders
}

// A way is how a library is given a statement.
type way string

const (
	byBuilder  way = "builder"            // the library's builder, else its query method
	byQuery    way = "query"              // text, by the library's method for rows
	byExec     way = "exec"               // text, by the library's method without rows
	byPrepared way = "prepared"           // text, prepared and then queried
	byTx       way = "query in a tx"      // text, by the method for rows in a transaction
	byStandard way = "database/sql's way" // text, by the library's own QueryContext
)

// builders build one statement with each library that has a builder for it.
type builders struct {
	bun  func(ctx context.Context, db *bun.DB) error
	gorm func(db *gorm.DB) error
	xorm func(s *xorm.Session) error
	// exec says that the text, for a library without a builder, has no rows.
	exec bool
}

// A reason says why only the primary may run a statement: in a word, and in full.
type reason struct{ word, full string }

var (
	writes    = &reason{"write", "it writes, or runs what writes"}
	locks     = &reason{"lock", "it locks rows or tables against the others, who meet on the primary"}
	sequence  = &reason{"sequence", "it moves a sequence"}
	namedLock = &reason{"named lock", "the lock excludes others only where all ask for it; each server has its own"}
	session   = &reason{"session", "it asks what its own session did, or left there, on the primary"}
	setting   = &reason{"setting", "it changes the session that later statements, writes among them, are to find"}
	notify    = &reason{"notify", "those who listen and those who tell meet on the primary"}
	inTx      = &reason{"transaction", "it is part of a transaction that may write"}
)

// reasons are all of them, as the page lists them.
var reasons = []*reason{writes, locks, sequence, namedLock, session, setting, notify, inTx}
