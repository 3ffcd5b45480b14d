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
// # What became of a write
//
// [ErrOutcomeUnknown] is matched where a statement was or may have been sent and no answer came, and nowhere else: Stats counts it.
// All other errors say what is known. What ran, and when its connection, its session or its context ended:
//
//	when                              what ran                          error
//	before anything was sent          any statement, BEGIN              tried again; then *UnavailableError
//	  by the statement's context      any statement, BEGIN              *NotSentError: matches the context's error
//	  waiting for a full pool         any statement, BEGIN              *NotSentError: names the engine, InUse and MaxOpen
//	between two statements            read, write or SAVEPOINT in a     *NotSentError, or the server's last words or the
//	  of a transaction                transaction, also prepared        driver's error; COMMIT is *TxAbortedError then
//	                                  COMMIT                            *TxAbortedError
//	                                  ROLLBACK                          none of InTx's own: it is what the end of a session does
//	  by the transaction's context    COMMIT                            *TxAbortedError; sql.Tx: the context's error
//	between two on a sql.Conn         any statement                     *NotSentError
//	while the statement ran, or       read                              tried elsewhere; then *ReadBrokenError
//	before its answer had come        write outside a transaction       ErrOutcomeUnknown
//	                                  any statement in a transaction    the driver's error; COMMIT is *TxAbortedError then
//	                                  COMMIT                            ErrOutcomeUnknown
//	                                  ROLLBACK                          the driver's error: it is rolled back all the same
//
// It is the same on PostgreSQL, MySQL and MariaDB, whether the network broke, somebody ended the session
// (pg_terminate_backend, KILL), or a limit of the server did (idle_in_transaction_session_timeout, 25P03;
// transaction_timeout, 25P04; wait_timeout and idle_transaction_timeout), and for bun.Tx, sql.Tx and prepared statements on
// the bind's pools as for InTx. SQLite has no session to lose: a statement that its context stopped is undone, and where it was a
// write in a transaction, InTx ends with a *TxAbortedError, and a sql.Tx with sqlitebind.ErrTxLost. What database/sql itself answers before it asks a connection (a
// context that has ended while it waits for one, on a plain DB) is the context's error as it is: nothing was sent.
// A wait for Native's pool that ends in the very moment in which another caller takes the connection may be called unknown.
//
// Before a COMMIT, and before a write on a connection that is kept, the socket is looked at: what has arrived of the
// session's end is known without a round trip. An end that arrives later than that leaves the outcome unknown.
//
// # What is not routed
//
// What Bun does not route, a Router does not see: bun.Tx, bun.Conn, prepared statements and the
// DB's own ExecContext and QueryContext run on the DB's pool, which is the writer's. Their writes
// count all the same: they are noticed on the writer's connections. Connections of the driver's own
// type are not watched: report their writes by [Wrote].
package router
