package binds

// A TxBreaker is a [Driver] of a server on which a failed statement may end more than itself.
//
// BreaksTx reports whether err, of a statement in a transaction, makes it impossible to go on before
// something is rolled back: on PostgreSQL to a savepoint. Whole says that no savepoint is left: MySQL
// rolls the whole transaction back at a deadlock, and lets the next statement begin a new one without a
// word. It must be safe for concurrent use.
type TxBreaker interface {
	BreaksTx(err error) (breaks, whole bool)
}
