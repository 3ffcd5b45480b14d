// Package router sends each statement of a bind to the engine that must or may run it.
//
// Bun formats a query and asks its ConnResolver for a connection; a [Router] is that resolver. It
// answers with a [Conn], which sees the context and the final text: what writes, locks or is not
// known to be harmless runs on the writer, the rest on a reader that a [Policy] picks.
//
// The context may carry a hint ([OnWriter], [OnReader]) and a place for the outcome ([Explain]).
//
// What Bun does not route, a Router does not see: bun.Tx, bun.Conn, prepared statements and the
// DB's own ExecContext and QueryContext run on the DB's pool, which is the writer's.
package router
