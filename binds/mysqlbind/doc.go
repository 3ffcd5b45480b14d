// Package mysqlbind opens MySQL 8 and MariaDB 10.6 and newer. Import it for its effect:
//
//	import _ "github.com/bindery-go/bindery/binds/mysqlbind" // mysql://, mariadb://
//
// It rests on github.com/go-sql-driver/mysql and Bun's mysqldialect and links no other database.
// All of it was tried on MariaDB 10.11. What only MySQL has was written from MySQL's manual and not
// tried; this documentation says so where it matters.
//
// # URIs
//
//	mysql://user:password@host:3306/database?name=value
//	mariadb://user:password@[2001:db8::1]/database
//	mysql://user@%2Frun%2Fmysqld%2Fmysqld.sock/database
//	mysql://user@/database?socket=/run/mysqld/mysqld.sock
//
// Both schemes mean the same. Special characters in user and password are percent-encoded. The port
// is 3306 if none is given, the host localhost, always by TCP: a socket must be named. Without a
// database, statements must name theirs. Without a user the server decides who one is.
//
// A number without a unit counts seconds in durations. An unknown parameter is an error that names
// the nearest known one, and so is a parameter of other libraries that has no meaning here.
//
//	socket                   absolute path of the server's Unix socket; default: none, TCP
//	ssl-mode                 DISABLED (default), REQUIRED, VERIFY_CA, VERIFY_IDENTITY; see TLS
//	ssl-ca                   file of the authorities to trust, PEM; default: the system's
//	ssl-cert, ssl-key        files of the client's certificate and key, PEM; default: none
//	enable-cleartext-plugin  1: send the password as it is when the account's plugin wants that (LDAP, PAM,
//	                         cloud tokens); only to a verified server or by a socket; default: 0
//	connect_timeout          bounds connecting: network, TLS, login and set-up; default: 10s; 0: only
//	                         the context does
//	read_timeout             bounds each wait for the server's next bytes; default and 0: only the
//	                         context does
//	write_timeout            bounds each write to the network; default and 0: only the context does
//	max_allowed_packet       longest statement to send, in bytes, up to 1 GiB; default: 67108864, MySQL's own;
//	                         0: ask the server, one round trip for each new connection. A server set to less
//	                         closes the connection on a longer statement
//	compress                 1: compress what goes over the network, by zlib; default: 0
//	collation                order of texts in comparisons with literals, such as utf8mb4_bin;
//	                         default: the server's for utf8mb4
//	sql_mode                 names with commas between them; default: the server's
//	interpolate_params       1: write arguments of the bare *sql.DB into the text, one round trip for three.
//	                         Bun does so by itself, and never sends arguments; default: 0, for JSON columns
//	                         of MySQL refuse a []byte written that way
//	program_name             how the session calls itself in performance_schema.session_connect_attrs;
//	                         default: none
//
// # Sessions
//
// Every session is made what Go and Bun expect by one statement: character set utf8mb4, time zone
// +00:00, autocommit on, and NO_BACKSLASH_ESCAPES taken out of sql_mode, since Bun writes text with
// backslash escapes. Times are read as time.Time in UTC, and Bun's are written in UTC, so that
// NOW(), TIMESTAMP and DATETIME columns mean the same on both sides. RowsAffected counts the rows that
// an UPDATE matched, not those it changed: a repeated UPDATE is no missing row, as on the other
// databases. Several statements in one text are refused by the server, LOAD DATA LOCAL by the
// driver. The MySQL driver's own log is off.
//
// An idle connection is looked at when it is taken from the pool, and replaced if the server has
// closed it; not so on Windows, where the MySQL driver cannot.
//
// # Contexts
//
// A statement whose context ends returns at once with the context's error. Its connection is closed,
// and the session is ended on the server by KILL CONNECTION over another connection, in the
// background, so that an abandoned INSERT that waits for a lock is not carried out later. This holds
// for rows half read, prepared statements, transactions, and COMMIT. It needs no privilege: an
// account may end its own sessions. It is given up after 5 seconds, or when the pool closes.
// KILL goes only to the session that was given up: same server (@@hostname, @@port, @@server_id), not
// restarted since, and servers do not give an identifier twice between two starts. A proxy that
// spreads connections over servers may thus leave the statement running.
//
// The outcome of such a statement is unknown: the server may have been quicker.
//
// Connections of the Native pool are the MySQL driver's own: they close on a context's end too, but
// kill nothing.
//
// # Readers
//
// A reader's session is made READ ONLY as soon as it exists: the server refuses writes with 1792,
// even when it is promoted to primary under the session. BeginTx begins READ ONLY. What the server
// would obey, although it takes that off or gets past it, is refused with a [*ReaderError] and not
// sent: START TRANSACTION READ WRITE, SET TRANSACTION READ WRITE in all forms, the variables
// tx_read_only and transaction_read_only, also in the text of a PREPARE or EXECUTE IMMEDIATE; and
// FLUSH and ANALYZE TABLE, which a replica would write to a binary log of its own, after which it
// stops replicating (gtid_strict_mode).
// A connection that ran something else that may change its session, such as SET, CALL or LOCK TABLES,
// serves its user and is then closed.
//
// Locks (GET_LOCK, LOCK IN SHARE MODE, LOCK TABLES READ) and SELECT INTO OUTFILE are obeyed, on that
// server alone: they write no row.
//
// This stops accidents, not intent: a stored procedure may begin a writing transaction. An account
// without write privileges is the proof.
//
// # Positions
//
// [Driver.Probe] needs no privilege. A server is a primary if read_only is off. On MariaDB a
// primary's position is gtid_binlog_pos, which log_bin and gtid_strict_mode must be on for, and a replica's
// is gtid_slave_pos alone, for it may have written to its own binary log. Positions are compared by domain: equal
// numbers must come from one server, and a higher one from the server that wrote the lower, or from
// the primary. What nothing shows:
//
//   - Writes with sql_log_bin=0, and what replication filters leave out, never reach a replica.
//   - MariaDB names no cluster. A replica of another one looks like its own where server_id and
//     domain are the same, until its numbers are higher. Give each server of a house its own server_id,
//     and a server that is built anew a new one: of a number that is used twice, nobody can tell
//     the old writes from the new.
//   - A replica that accepts writes says it is a primary, and covers no other's position: set read_only.
//
// The server is known by its host name, port and server_id, the second of its start, and a number that it
// drew then (the tail of UUID()).
//
// On MySQL, untried, it is gtid_executed on both, with gtid_mode=ON; the sets are compared here, tags
// included, and server_uuid is part of the server. A transaction of a replica's own does no harm.
//
// # Named locks
//
// A named lock is one of GET_LOCK, called as [LockName] says: the server shares the names between its
// databases, but not with replicas or the other nodes of a cluster such as Galera. It is waited for by
// statements of one second each, so that a session which KILL does not reach is gone a second later.
// max_statement_time does not apply to it. It goes when its session ends, which the server may take
// long to notice if the machine of its holder died: see tcp keepalives, and wait_timeout.
//
// There is no fence: the servers have no number that grows with each lock, whatever server is the primary,
// short of a table. Who needs one keeps a counter in a row and raises it under the lock.
//
// # TLS
//
// The values of ssl-mode are those of the mysql client, as cloud providers write them into URIs:
//
//	DISABLED         no TLS
//	REQUIRED         TLS with whomever answers: stops listeners, not impostors
//	VERIFY_CA        TLS with whomever an authority of ssl-ca, or the system, has certified
//	VERIFY_IDENTITY  TLS with the host of the URI, certified: the one to use over a network
//
// PREFERRED is not offered: it falls back to none when the server, or an impostor, says so.
//
// # Not tried
//
// No MySQL server was at hand. From its manual are: the errors that [Driver.Classify] knows of MySQL
// alone (3024, 3032, 3101, 3159, 3169, 4031), that KILL and READ ONLY sessions work as on MariaDB,
// the features of [Dialect] for MySQL 8, all of a probe's answer, and that GET_LOCK waits for whole
// seconds. Nor were TiDB, Aurora, Galera, ProxySQL and MaxScale.
package mysqlbind
