// Package observe tells OpenTelemetry what a manager's binds do, by the semantic conventions for databases: a span for each statement,
// transaction and wait for a named lock, and metrics. One line switches it on:
//
//	off, err := observe.On(m) // with OpenTelemetry's global providers
//
// A program that does not import the package pays one comparison a statement, and links nothing of it.
//
// # Spans
//
// Each statement that comes through a bind's Bun DBs has one, BEGIN, COMMIT, ROLLBACK and those on savepoints included: from builders, raw queries,
// [manager.Bind.Writer] and [manager.Bind.Reader], InTx, Bun's own transactions and connections, prepared statements and the bare *sql.DB of an
// engine. It lasts to the first answer: the rows are read after it. A transaction of InTx has one around those of its statements, for each try, and each call for a
// named lock has one. The parent is the span of the context that a statement was given. An attempt that failed, after which the statement was sent again, is an event "retry".
//
// In a context whose span is not sampled nothing is recorded, as the default sampler of the SDK, ParentBased, has it.
//
//	db.system.name, server.address, server.port   the engine's server, by its URI
//	db.operation.name, db.collection.name         the statement's first word and, where the text makes it plain, its table
//	db.query.summary, db.query.text               both together, and the outline, see [sqlkind.Outline]
//	error.type, db.response.status_code           see below
//	bindery.bind, bindery.engine, bindery.role    "accounts", "accounts/reader-1", "reader"
//	bindery.reason                                why it ran there, see [router.Reason]; "unrouted" came past the router
//
// There is no db.namespace: the bind's key names the database, and the URI's own name is the user's where it names none.
//
// # Metrics
//
//	db.client.operation.duration           s, by bind, engine, operation and error.type
//	bindery.transaction.duration           s, of InTx, by bind, engine and bindery.transaction.outcome: committed, rolled_back, unknown
//	bindery.lock.wait_duration             s, of calls for named locks, by bind and error.type
//	bindery.routing.decisions              statements, by bind, engine and reason
//	bindery.reader.lag                     s, at the reader's latest answer to the monitor
//	bindery.engine.up                      1, or 0 for one that did not answer the monitor's latest look
//	bindery.reader.serving                 1, or 0 for a reader that is down, drained or too stale for plain reads
//	bindery.ejections                      times that a reader was taken out of service because it was found gone
//	bindery.retries                        statements and transactions that were sent again after a failure, by bind
//	bindery.fallbacks                      plain reads that the writer served for want of a reader, by bind
//	bindery.refusals                       statements taken for reads that a reader refused as writes, by bind
//	bindery.outcomes_unknown               writes and COMMITs whose answer did not come, by bind
//	db.client.connection.count             connections of an engine's pool, by db.client.connection.state: idle, used
//	db.client.connection.max, .idle.max    its bounds; none where there is no bound
//	db.client.connection.pending_requests  callers that wait for one
//	db.client.connection.timeouts          callers that waited as long as max_wait allows
//	bindery.pool.waits, .wait_time         callers that had to wait, and the seconds that they waited together
//
// Lag and health are what the monitor knows; to collect them asks no server. A bind that nobody reads is looked at once a minute. There are
// none of a writer that nobody looks at: a bind's without readers, and that of a SQLite file. Pools are those of the writer and the readers;
// those of Native and of the spread reader DB are left out.
//
// Tenants ([manager.WithTenants]) have spans, durations, lock waits and ejections; what is collected is of the configuration's binds.
//
// Binds that are added are told of, too. What is collected of a bind ends with its removal; OpenTelemetry's API has no way to end the histograms and
// the count of ejections that it has, so that these stay at their last values. The SDK keeps 2,000 series of a metric by default: with hundreds of
// binds, raise that.
//
// # No values
//
// No value of a statement is in a span or a metric, none of an error's text, and no name of a lock: they may hold values. Errors are told by
// error.type: the server's code, or what kind of failure it was, such as "outcome_unknown", "unavailable", "timeout"; else the error's Go type.
// What users have named themselves is shown: tables, columns, and transactions by [manager.Name].
package observe
