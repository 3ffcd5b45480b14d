// Package mysqlbind opens MySQL 8 and MariaDB 10.6 and newer. Import it for its effect:
//
//	import _ "github.com/bindery-go/bindery/binds/mysqlbind" // mysql://, mariadb://
//
// It rests on github.com/go-sql-driver/mysql and Bun's mysqldialect and links no other database.
// All of it was tried on MySQL 9.7.4 and MariaDB 10.11 and 11.8, each with a replica; see Products and Not tried.
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
//	ssl-mode                 DISABLED (default on this machine), REQUIRED (default elsewhere), VERIFY_CA, VERIFY_IDENTITY; see TLS
//	ssl-ca                   file of the authorities to trust, PEM; default: the system's
//	ssl-cert, ssl-key        files of the client's certificate and key, PEM; default: none. A key that others than its owner can read
//	                         works, as with the mysql client, and is told in the log and by Check
//	enable-cleartext-plugin  1: send the password as it is when the account's plugin wants that (LDAP, PAM,
//	                         cloud tokens); only to a verified server or to this machine; default: 0
//	serverPubKey             file of the server's public RSA key, PEM, read when the bind is opened: without TLS the password is
//	                         encrypted with that and no other; default: none; see TLS
//	connect_timeout          bounds connecting: network, TLS, login and set-up; default: 10s, and 3s where the
//	                         context has no deadline; 0: only the context does
//	read_timeout             bounds each wait for the server's next bytes; default and 0: only the
//	                         context does
//	write_timeout            bounds each write to the network; default and 0: only the context does
//	max_allowed_packet       longest statement to send, in bytes, up to 1 GiB; default: 67108864, MySQL's own;
//	                         0: as long as the server takes. Each new session is told that by the query that it
//	                         asks anyway, and what the server would not take is a [*PacketTooLargeError], and not
//	                         sent; the server would close the connection
//	compress                 1: compress what goes over the network, by zlib; default: 0
//	collation                order of texts in comparisons with literals, such as utf8mb4_bin;
//	                         default: the server's for utf8mb4
//	sql_mode                 names with commas between them; default: the server's
//	interpolate_params       1: write arguments of the bare *sql.DB into the text, one round trip for three.
//	                         Bun does so by itself, and never sends arguments; default: 0, for JSON columns
//	                         of MySQL refuse a []byte written that way (3144)
//	program_name             how the session calls itself in performance_schema.session_connect_attrs;
//	                         default: none
//
// # Sessions
//
// Every session is made what Go and Bun expect by one statement: character set utf8mb4, time zone
// +00:00, autocommit on, and NO_BACKSLASH_ESCAPES taken out of sql_mode (and MariaDB's EMPTY_STRING_IS_NULL), since Bun writes text with
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
// # Transactions
//
// InnoDB answers some errors by rolling back the whole transaction, says nothing of it, and carries out what follows outside
// of any: a deadlock (1213), more locks than it has room for (1206), MariaDB's 1020 under innodb_snapshot_isolation, a
// conflict with another member of a MySQL group (1180 with error 149, which a statement may get before COMMIT), and a
// lock's time-out (1205) if innodb_rollback_on_timeout is on. While unique_checks and foreign_key_checks are both off,
// MariaDB also does so at any INSERT that fails, and then calls COMMIT a success. After such an error every statement of the
// transaction is a [*RolledBackError], and so is Commit, which rolls back; for 1205, and on MariaDB for errors that do not
// tell, the session is asked for the setting, which is one round trip. This holds for transactions of BeginTx, and not for
// those begun by a text.
//
// While both checks are off, MariaDB discards rows without an error, too: INSERT IGNORE, and INSERT … SELECT that has a key
// twice, into an empty table (tried on 10.11.18 and 11.8.9, also without a transaction). That cannot be noticed.
//
// # Readers
//
// A reader's session is made READ ONLY as soon as it exists: the server refuses writes with 1792,
// even when it is promoted to primary under the session. BeginTx begins READ ONLY. What the server
// would obey, although it takes that off or gets past it, is refused with a [*ReaderError] and not
// sent: START TRANSACTION READ WRITE, SET TRANSACTION READ WRITE in all forms, the variables
// tx_read_only and transaction_read_only, also in the text of a PREPARE or EXECUTE IMMEDIATE; and
// FLUSH and ANALYZE TABLE, which a replica would write to a binary log of its own, after which it
// stops replicating (MariaDB's gtid_strict_mode), or looks as if it had parted from its primary (MySQL).
// A connection that ran something else that may change its session, such as SET, CALL or LOCK TABLES,
// serves its user and is then closed. A writer's is, too, but for CALL: what a procedure does is not seen. See
// [sqlkind.ChangesSession].
//
// Locks (GET_LOCK, FOR SHARE, LOCK IN SHARE MODE, LOCK TABLES READ) and SELECT INTO OUTFILE are obeyed, on that
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
// drew then (the tail of UUID()); MySQL's server_uuid is part of it, too.
//
// On MySQL a position is gtid_executed on both, with gtid_mode=ON: a set, which is compared here, tags included. A
// transaction of a replica's own does no harm. A replica may show a commit before its primary does: the log is sent
// first, and with semi-synchronous replication the commit then waits. Such a transaction is among gtid_owned, which is
// asked for before, and is nobody's alone. In a group nothing tells of it: there, a replica that holds more has parted
// from its primary only if that stays so for a second. A replica that holds transactions which were lost in a failover
// follows a new primary without an error: it is out until it is built anew. What nothing shows is that a server which
// was promoted with such transactions should not have been.
//
// The text of a set, for tokens, is at most 900 bytes long. Of a longer one it says the latest intervals of the origins
// that are likeliest to grow, the server's own first, and digests of all others, which only a server that
// has exactly those transactions is known to cover. Where one of the others grows, sessions of before read from the writer
// until they have a new token.
//
// # Galera
//
// A node of a Galera cluster has no position, and accepts writes like all others. [Driver.Probe] asks it twice: who it is, and
// with wsrep_sync_wait for its state, which answers once it shows all that the cluster had committed. Its history is
// wsrep_cluster_state_uuid. In another wsrep_local_state than Synced it has a Doubt; outside of the primary component
// the probe fails. If the wait takes too long, as for some seconds after another node was lost, the error is a
// [binds.UnprovedError].
//
// # Named locks
//
// A named lock is one of GET_LOCK, called as [LockName] says: the server shares the names between its
// databases, but not with replicas or the other nodes of a cluster such as Galera. It is waited for by
// statements of one second each, so that a session which KILL does not reach is gone a second later.
// max_statement_time and max_execution_time do not apply to it. It goes when its session ends, which the server may
// take long to notice if the machine of its holder died: see tcp keepalives, and wait_timeout.
//
// MySQL rounds the wait of GET_LOCK to whole seconds: a shorter one is spent here, between two attempts. A
// wait that an administrator kills ends in an error, on MySQL the server's 1317.
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
// The default is DISABLED for this machine: a socket, and a host that is written localhost or as a loopback address. Elsewhere it is
// REQUIRED. Pgbind has the same defaults. A host elsewhere without an ssl-mode is told in the log when the bind is opened, and by Check:
// nothing proves the server then.
//
// # The password
//
// An account of caching_sha2_password that has not logged in since the server began, and one of sha256_password each time, must show the
// password itself: under TLS as it is, else encrypted with the server's key; and one of mysql_clear_password (LDAP, PAM) as it is. It is shown to a
// server that TLS has verified (VERIFY_CA, VERIFY_IDENTITY), over a Unix socket, or to a loopback address, as the connection has it; without TLS also
// under the key of serverPubKey. Else the login ends with a [*binds.PasswordWithheldError] before anything of it is sent. For an unverified
// server and without serverPubKey the account may thus log in only while the server remembers it: verify.
//
// To any server goes what only proves the password, with a salt of 20 bytes or more: caching_sha2_password's first answer,
// mysql_native_password and client_ed25519. A weak password may be guessed from these all the same. mysql_old_password is not offered.
//
// # MySQL Router
//
// A router's port with connection_sharing = 1 gives a server's session to another client when it is idle, and one with
// access_mode = auto sends what only reads to a replica, which may lack what was just written. Such a router is known by
// its greeting, whose version ends in "-router". One that hands the server's own greeting through (client_ssl_mode =
// PASSTHROUGH, or server_ssl_mode = AS_CLIENT) shares and splits nothing, and is not known.
//
// Each new session begins there with three statements more: ROUTER SET access_mode, which has all of a writer's session
// go to the primary and a reader's to a replica, where the port chooses at all; the user variable
// @bindery_holds_this_session, because a session with a variable is not shared; and a named lock, bindery-session-…, by
// which a session that was given up is known again before it is killed. So a session is on one server from its beginning
// to its end, as without a router.
//
// A connection is closed without a goodbye: a router that is told goodbye keeps the session for some seconds, with its
// locks and its open transaction. It does so with native connections. Do not release all locks (RELEASE_ALL_LOCKS)
// there: what is given up then goes on at the server.
//
// A splitting port refuses KILL at all times, and SHOW GLOBAL STATUS and its like outside of a transaction, with error
// 4501: what is given up goes on at the server until it ends. So it does where one port of a reader leads to several
// servers, and the connection that would kill comes to another one.
//
// # Products
//
//	                          MySQL 9.7                       MariaDB 10.11, 11.8
//	a position                gtid_executed                   gtid_binlog_pos; of a replica gtid_slave_pos
//	it needs                  gtid_mode=ON, log_bin           gtid_strict_mode=1, log_bin
//	a replica is first        yes, see Positions              yes, but its primary's position is not behind
//	a replica refuses         administrators, too, if it is   ordinary accounts
//	                          super_read_only
//	NOWAIT                    3572, Retryable                 1205, Retryable: as after a wait
//	a deadlock of locks       3058, Retryable                 1213, Retryable
//	a killed wait for a lock  1317, Canceled                  no error, and NULL
//	idle for too long         4031, NotSent                   the connection ends without a word
//	COMMIT in a group         1180 with error 149, 3101,      1213, Retryable (Galera)
//	  in conflict             1213, all Retryable
//	COMMIT of a member that   3100, Refused; the role is      1047, Busy (Galera)
//	  leaves its group        asked, see [Driver.DoubtsRole]
//	an expelled member        6400, 3032: Busy                1047, Busy (Galera)
//	a limit on statements     max_execution_time, in          max_statement_time, in seconds, of all
//	                          milliseconds, of SELECT only
//	an unencrypted login      3159                            10.11: "Access denied" only; 11.8: 3159
//	  where TLS is demanded
//	READ ONLY's variable      transaction_read_only           tx_read_only; 11.8 has both
//	RETURNING                 no                              INSERT, DELETE
//	WITH before UPDATE        yes                             no, see [Dialect]
//
// # Not tried
//
// MySQL 8.0 and 8.4, TiDB, Aurora, ProxySQL and MaxScale. The error 3169 of MySQL is from its manual, as is what
// [Dialect] does for MySQL before 9.
package mysqlbind
