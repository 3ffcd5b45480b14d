// Package pgbind opens PostgreSQL databases by Bun's pgdriver.
//
// Importing it registers the schemes postgres:// and postgresql://:
//
//	import _ "github.com/bindery-go/bindery/binds/pgbind"
//
//	postgres://app:p%40ss@db1:5432/shop?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem
//	postgres://app@/shop?host=/var/run/postgresql
//
// What a URI does not say has the default below, and never comes from the environment: PGHOST,
// PGPASSWORD and their like, ~/.pgpass, ~/.postgresql and service files are not looked at.
//
// # Where and who
//
//   - host: a name, an address, or the directory of a Unix socket ("/…", or "@…" in Linux's abstract
//     namespace); default localhost. One server a URI: the others are readers.
//   - hostaddr: the address to dial, so that host is not looked up, only verified.
//   - port: default 5432. It is part of the socket's name, too.
//   - user: required. password: none. dbname: default the user's name. All three may stand in their
//     place before the "?" or as a parameter, not both. "+" is a plus and not a blank.
//
// # TLS
//
// The default of sslmode is require, and disable for this machine: a Unix socket, where PostgreSQL has no TLS, and a host that is
// written localhost or as a loopback address, unless the URI has another parameter of TLS. Mysqlbind has the same defaults. Through a
// tunnel whose near end is localhost, say sslmode. A host elsewhere without an sslmode is told in the log when the bind is opened, and by
// Check: nothing proves the server then. libpq's own default, prefer, falls back to plain text when
// anybody on the way says so; prefer and allow are refused.
//
//   - sslmode=disable: plain text.
//   - sslmode=require: encrypted; the server's certificate is not verified, unless sslrootcert is
//     set: then it is verify-ca, as in libpq.
//   - sslmode=verify-ca: the certificate comes from sslrootcert, whatever name it bears.
//   - sslmode=verify-full: it also bears the name or address in host. This is the one to use.
//   - sslrootcert: a PEM file of authorities, or "system" for the machine's, which makes verify-full the
//     default and allows nothing less. Without it verify-full trusts the machine's.
//   - sslcert, sslkey: PEM files of the client's certificate and its key, without a passphrase. A key that others than its owner can
//     read is an error, as in libpq: its mode must be 0600 or less, or, of a file that root owns, 0640 or less.
//   - ssl_min_protocol_version, ssl_max_protocol_version: TLSv1.2 (the lower default), TLSv1.3 (the upper).
//
// The files are read once, when the bind is opened.
//
// # The password
//
// A server may ask for the password itself (password, and ldap, pam, radius and bsd in pg_hba.conf), or for its MD5 hash, which can be
// sent again (its salt has 32 bits), and from which a password is guessed cheaply. Either is sent to a server that TLS has
// verified (verify-ca, verify-full), over a Unix socket or to a loopback address, as the connection has it. For any other the log-in ends with
// a [*binds.PasswordWithheldError] before anything of it is sent. An MD5 hash is sent there too where require_auth names md5. SCRAM tells a
// server nothing that it does not know; but one that nothing proves must have the password hashed 4096 times, PostgreSQL's default, so that it
// cannot be guessed cheaply either. A weak password may be all the same: verify the server.
//
// No server may have it hashed more than 1,000,000 times, which is about a second's work that no context ends: that is a
// [*MessageError]. PostgreSQL's scram_iterations goes to 2147483647: set it to 1,000,000 or less, and then each password anew, which
// keeps its number. So is a message of the log-in whose length or form PostgreSQL never sends; nothing is told to such a server.
//
//   - require_auth: the ways in which the server may ask, as libpq 16 has it: password, md5, scram-sha-256, none (it asks for
//     nothing: trust, or a certificate), with commas between them; or, each with ! before it, those in which it may not. gss, sspi and oauth
//     may stand there too, and are never used. Default: all. Another way is an [*AuthMethodError].
//
// # Time
//
// Durations are written as 500ms, 10s or 5m; a bare number has the unit in parentheses; 0 turns a
// limit off.
//
//   - connect_timeout (s): for all of connecting: dialling, TLS and log-in; default 10s, and 3s where the context has
//     no deadline; 0: only the context's.
//   - dial_timeout (s): for making the TCP connection alone; default off.
//   - read_timeout, write_timeout (s): for one read or write of the socket, after which the statement's
//     outcome is unknown and its connection closed; default off: contexts bound statements.
//   - keepalives (default on), keepalives_idle (s, 15s), keepalives_interval (s, 5s),
//     keepalives_count (3): TCP's probes of a silent peer.
//   - tcp_user_timeout (ms, default 30s): how long sent data may stay unacknowledged. Linux only.
//
// # Settings of the session
//
// They travel in the start-up message, so that RESET ALL and DISCARD ALL go back to them. The server
// judges the values.
//
//   - application_name, or fallback_application_name where that is not set.
//   - search_path, timezone, role, default_transaction_isolation, synchronous_commit.
//   - statement_timeout, lock_timeout, idle_in_transaction_session_timeout, idle_session_timeout
//     (PostgreSQL 14), transaction_timeout (PostgreSQL 17), all (ms).
//   - options: anything else, as in -c%20work_mem=64MB.
//   - client_encoding: UTF8, the only one.
//
// Settings of the login, the database or the server yield to these, and to what values are read exactly by: datestyle ISO, standard_conforming_strings,
// extra_float_digits and bytea_output. A pooler that refuses the last two is not told of them: floats then have the digits
// that the login's setting gives. A standby whose default_transaction_isolation is SERIALIZABLE, in which it runs nothing, is told REPEATABLE READ. A writer whose
// default_transaction_read_only is on gives a [*binds.ReadOnlyDefaultError]. What only changes how a value is shown as text (IntervalStyle,
// TimeZone, lc_monetary of money) is the user's to choose, for writer and readers alike ([binds.View]).
//
// Any other parameter is an error that names the nearest right one or, for one that libpq knows, says
// why it is not supported.
//
// # Readers
//
// The sessions of a [binds.Reader] have default_transaction_read_only on from the start-up message
// on, and their transactions begin READ ONLY. A connection from which a statement has taken the belt off (SET, SET SESSION
// CHARACTERISTICS, set_config) is closed when it is given back. What a function does to it is noticed when the connection is next
// taken from the pool: PostgreSQL reports such changes from version 14 on; an older server is told each time that the belt is on, at the
// price of a round trip. The belt stops accidents. It stops no one who says BEGIN READ WRITE on a
// pinned connection: a standby does, and a login without the right to write.
//
// # Poolers
//
// A pooler shows itself by the process id that it gives at log-in, which is not the server's; PgBouncer from
// version 1.26 on also says what it pools. Both are seen without a further round trip. Whether anything stands between
// a new connection asks, in one round trip: the server tells which port it sees. [binds.Engine.Pooler] and the Pooler of a
// [binds.Probe] tell.
//
// Before version 1.26 PgBouncer refuses parameters of the start-up message that it does not know: set its
// ignore_startup_parameters = default_transaction_read_only for readers, and add any other parameter that the URI
// sets, and options, which are then without effect.
//
// Where the pooler says that it pools sessions, all is as without it. Where it says that it pools transactions or
// statements, or does not say what it pools:
//
//   - A reader's session is left as it is. Each statement outside a transaction brings its own SET TRANSACTION READ ONLY, in
//     the same message; the positions in its errors count that text, too. Prepared statements, and native connections
//     whose belt the pooler does not keep, are a [*PoolerError].
//   - A named lock is that of a transaction which stays open while the lock is held. It thus holds one of the pooler's
//     connections, and one more for a moment when it is taken, to draw the fence. A pooler that ends long or idle
//     transactions (idle_transaction_timeout, transaction_timeout) ends the lock. Where statements are pooled there
//     are none: [*PoolerError].
//   - A reader behind a pooler of transactions or statements proves no freshness: its probes have a [*PoolerError] as
//     their Doubt. Behind a pooler that does not say, each connection that was proved is held to the session of its proof by a
//     cursor, so that a statement which comes to another one fails before anything of it is run, and is run elsewhere.
//     Once that has happened, or two connections were seen in one session, the pooler counts as one of transactions
//     for ten minutes.
//   - What a program sets in a writer's session stays in the server's: through a pooler of transactions it leaks to others, though the
//     connection to the pooler is closed.
//     Prepared statements need PgBouncer 1.21 with max_prepared_statements there, LISTEN works with session pooling only.
//
// Pgpool-II sends what only reads to any of its servers, unless it begins with a comment. So each statement begins with one
// there, the texts of prepared statements too; the positions in errors count it. Its sessions are then as those of the primary.
// It is asked for by PGPOOL SET allow_sql_comments TO off, once for each engine whose connections do not reach the server directly: an error
// of syntax elsewhere, in the server's log. Native connections send their texts as they are.
//
// Cancel requests go to the pooler, with the key that it gave.
//
// # Contexts
//
// A context that ends, ends its statement. The server is sent a cancel request over a connection of
// its own, to the same address and with the same TLS, and the caller has an error that matches the context's
// within about 50 milliseconds. If the server's answer came in that time, the error is a [*CanceledError]
// that holds it: the statement was undone. If the statement was done by then, there is no error. The
// connection is closed either way, so that a late request hits nothing else.
//
// COMMIT waits as long as the context of BeginTx; a server that does not answer has an unknown outcome,
// and is not asked to cancel. ROLLBACK waits five seconds, then closes the connection, which rolls
// back too.
//
// # Arguments
//
// A statement with arguments of database/sql goes by the extended protocol, as with pgx and lib/pq: the server finds $1 and its type, so
// that comments and every kind of string are read right, and an argument is never part of the text. It takes one round trip and leaves no prepared statement, which is right through
// poolers of transactions and of statements, too. An argument of type []byte costs one more, to learn whether the parameter is a
// bytea: otherwise the bytes are its text, so that json and jsonb take them. Bun writes its values into the text: its queries have no arguments.
//
// A text with arguments holds one statement ([*binds.SeveralStatementsError]); one without may hold several. Where the server finds no type for an argument,
// or the statement takes none, as SET, NOTIFY and DDL do, the error is an [*ArgumentsError]: write $1::text, or Bun's ?. As many arguments as there are parameters are needed.
// A time is sent in UTC, the zero time as year 1; a string must be valid UTF-8 without NUL.
//
// Native connections are pgdriver's own: it writes arguments into the text, and takes an apostrophe in a comment for a string. There,
// prepare what has arguments.
//
// # Values
//
// A value that its destination cannot hold is the error of its row, from Scan; connection and transaction live on. timestamp and
// timestamptz are a time.Time of any year, also before the year 1 and past 9999; infinity and -infinity, for which
// Go has no time, are the strings "infinity" and "-infinity", for which a *time.Time gives an error that names the column: scan into a
// string or a sql.Scanner, or select NULLIF(col, 'infinity'). A date is a string, as pgdriver has it. bytea is read in both formats, a float that float64 cannot hold
// (which needs extra_float_digits below 1) is its text.
//
// A text without a statement is carried out without an error. A query whose text gives several results has the rows of the first, and
// then [ErrSeveralResults]. COPY with this program's own data is [ErrCopy] and needs a native connection. Notifications are dropped, and
// the connection that got them goes after its use: LISTEN needs a native connection, too. A field of the server's error is cut after 4000 bytes.
//
// # Positions
//
// [Driver.Probe] needs no grant. A primary's position is pg_current_wal_flush_lsn, which every commit is
// below that was acknowledged with synchronous_commit on; a standby's is pg_last_wal_replay_lsn. Where
// synchronous_commit is off for the login, by the URI, the role, the database or the server, it is what has
// been inserted into the log: standbys reach that up to 0.2 seconds later, and up to 15 seconds later while a
// transaction is open that has written a little. A session that turns synchronous_commit off by itself
// is not seen: a standby may be thought to show its commits for 0.6 seconds (three times
// wal_writer_delay) before it does.
//
// The history is the cluster's system_identifier and the timeline. A standby's timeline is certain for a login
// with pg_monitor or pg_read_all_stats. For others it is what the standby last wrote down: after a
// failover the standby proves nothing until its next restartpoint, which may take minutes. And if the
// old primary of a failover still accepts writes, and is the writer, a standby that follows the
// new one is known for it only from then on, or once it has replayed more than the old one wrote.
// Grant pg_monitor where failovers happen. A standby that follows another timeline from archived log alone,
// without a connection to its primary, is like one without the grant.
//
// The server is known by its port, its start, and the time when its statistics began: after one of its
// processes crashed, a standby shows an older state though its postmaster was not restarted. Before
// PostgreSQL 15 this is not seen. pg_stat_reset_shared('archiver') looks the same, and is harmless.
//
// # Named locks
//
// A named lock is a session's advisory lock (manual section 13.3.5) on the key that [LockKey] computes,
// in the URI's database. It is waited for in the server's queue, by statements of one second each under
// lock_timeout, so that what a cancel request does not reach is gone a second later. The session's own
// limits on statements are off. It goes when its session ends: at once if the process dies, and after the
// kernel has given up (tcp keepalives, tcp_user_timeout on the server) if the machine does.
//
// The fence is the number of a transaction, written to the disk: no crash gives it out again. A failover
// to a standby that had not received it may. Each lock thus uses a transaction number, and writes a
// logical message of a few bytes with the prefix bindery.lock; a login that may not call
// pg_logical_emit_message has no fence.
//
// Through a pooler a lock is that of an open transaction, see Poolers. With a pooler of transactions that passes the
// server's process ids on, which PgBouncer does not, it is a session's and keeps nobody out; that is noticed as soon as
// a statement lands in another session than the lock's, not before.
//
// # Connections
//
// One whose session a statement may have changed, see [sqlkind.ChangesSession], is closed when it is given back, of either role; and
// so is one that reports another value of a setting than at log-in (manual section 55.2.7), whatever has set it.
//
// One that died while idle, was left inside a transaction, or whose session quotes strings otherwise, is
// replaced when it is taken from the pool: without a round trip, by one system call (elsewhere
// than on Unix only by its next statement). A statement on a transaction or pinned connection whose rows
// are still being read is [ErrRowsOpen], where pgdriver would mix the answers up. The COMMIT of a failed
// transaction is [ErrRolledBack], where pgdriver reports success. Snapshot isolation is REPEATABLE
// READ, which is that in PostgreSQL.
//
// COPY, LISTEN and pgdriver.NewListener need pgdriver's own connections: [binds.Engine.Native] has them,
// with the same TLS, belt and checks. There a cancelled context does not end a wait and a deadline
// does, without a word to the server.
package pgbind
