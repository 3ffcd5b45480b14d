package binds

// A TxEnder is a [Driver] of a server that rolls a whole transaction back when some statements fail, and
// then lets the next statement begin a new one without a word. PostgreSQL does not: it refuses every
// statement until ROLLBACK.
//
// EndsTx reports whether err, of a statement in a transaction, has or may have ended it. It must be safe
// for concurrent use.
type TxEnder interface {
	EndsTx(err error) bool
}
