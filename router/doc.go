// Package router sends each statement of a bind to the engine that must or may run it.
//
// Bun formats a query and asks its ConnResolver for a connection; a [Router] is that resolver. It
// answers with a [Conn], which sees the context and the final text: what writes, locks or is not
// known to be harmless runs on the writer, the rest on a reader that a [Policy] picks.
//
// # Freshness
//
// A monitor notes the time t0, asks the writer for its position in its log, and asks each reader how
// far it has replayed it. A reader that has replayed the writer's position shows every write that
// was acknowledged before t0: t0 is its horizon. A write only remembers when it was acknowledged, on
// the same clock, so that a read finds its readers by comparing two numbers: without a lock, a round
// trip or an allocation. The horizon of a reader is void when the server behind it is another one or
// was opened at an older state, and all are when the writer's history changes.
//
// A bind that nobody reads from costs its servers a probe a minute, see [Freshness].
//
// Nothing but the position is believed: no lag column of the servers, which cannot tell an idle
// primary from a replica that is behind.
//
// # Contexts
//
// A context may carry a session ([NewSession], [ResumeSession]), a hint ([OnWriter], [OnReader],
// [MaxStale]) and a place for the outcome ([Explain]).
//
// # Transactions
//
// A context may carry transactions, one of each bind: [Router.InTx] begins one, and every query of the
// bind that is given the context runs in it, whatever its DB and its hints. Without one in the context a
// query pays nothing for that. Several goroutines may share a transaction: their statements take turns,
// and rows that are still open when the next statement comes are read into memory, so that they go on.
// What would silently run outside is an error: [CrossBindWriteError], [PastTxError], [TxDoneError].
//
// # What is not routed
//
// What Bun does not route, a Router does not see: bun.Tx, bun.Conn, prepared statements and the
// DB's own ExecContext and QueryContext run on the DB's pool, which is the writer's. Their writes
// count all the same: they are noticed on the writer's connections. Connections of the driver's own
// type are not watched: report their writes by [Wrote].
package router
