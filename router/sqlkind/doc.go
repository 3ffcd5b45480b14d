// Package sqlkind tells from a statement's text whether a reader may run it.
//
// [Of] answers Read only for what is known to be harmless on a reader; everything else is a Write. A
// [Classifier] also knows the user's own functions that write. Neither asks a server, keeps anything,
// or allocates; the time is linear in the length of the text and the stack does not grow with it.
// Several statements in one text are a Read if each of them is.
//
// # Reads
//
//   - SELECT, VALUES and, but for SQLite, TABLE; in parentheses; with CTEs whose every part reads.
//   - EXPLAIN of these. With ANALYZE only of these. On PostgreSQL and SQLite plain EXPLAIN of a statement that
//     writes is a read too; readers of MySQL and MariaDB refuse it.
//   - PostgreSQL: SHOW. MySQL: SHOW, DESCRIBE, and MariaDB's ANALYZE of a SELECT. SQLite: a PRAGMA that only reads.
//
// # Writes
//
//   - Every other verb, and text without a statement.
//   - FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE, FOR KEY SHARE and LOCK IN SHARE MODE, wherever they stand.
//   - SELECT … INTO, in all its forms.
//   - DML in a CTE, or as the main verb after one.
//   - Calls of a server's own functions that write, lock, notify, or set or tell a session's state. They are listed,
//     with reasons and the manuals' sections, in postgres_functions.go, postgres_extensions.go, mysql_functions.go and
//     sqlite_functions.go. On PostgreSQL a listed name after a dot is a call, too: value.name calls name(value), where
//     the value stands in parentheses, is an element or a parameter, or is an alias of what a function returns.
//   - MySQL: @user variables, :=, sequences, SQL_CALC_FOUND_ROWS.
//   - What does not lex: an open quote, comment or parenthesis, a byte no statement has, a NUL byte anywhere.
//
// # Local reads
//
// Some reads harm no server, but each server answers them for itself: statistics, sessions and locks, where a sequence
// stands, prepared transactions, replication slots, positions in the binary log, files. They are listed in
// postgres_local.go and mysql_local.go. [Of] calls them a Write, since it is the writer's answer that is meant;
// [Classifier.Classify] tells them apart, for whoever asks a certain reader.
//
// What asks which server it is, how it is configured, or what only a replica knows, is a plain read.
//
// # What ends with a transaction
//
// In a read-only transaction a reader may also be told what ends with that: SET LOCAL, set_config(…, true), cursors. They are a
// Write here, since by themselves they mean nothing or last; [Classifier.EndsWithTx] knows them.
//
// # Text is lexed as the server does
//
// Keywords count outside quotes and comments only, and where they can be keywords: a column called share, an
// alias called update and t.into are names. PostgreSQL's dollar quotes, E'…', U&"…" and nested comments,
// MySQL's backslashes, backquotes and # comments, SQLite's brackets are known.
//
// The servers' own defaults are assumed: on PostgreSQL standard_conforming_strings = on, on MySQL and MariaDB an sql_mode
// without NO_BACKSLASH_ESCAPES. Text in double quotes that would end elsewhere with ANSI_QUOTES is a Write, and so is
// s.nextval, which moves a sequence in sql_mode = ORACLE.
//
// # Writes that could be read
//
// Some statements are called a Write though a reader would run them and nothing would stay:
//
//   - COPY (SELECT …) TO STDOUT, CHECKSUM TABLE, HELP, SET STATEMENT … FOR SELECT, EXPLAIN of CREATE TABLE AS or
//     DECLARE: verbs that need a closer look than they are worth.
//   - DO, CALL, EXECUTE, query_to_xml and whatever else runs text or code that is not in the statement.
//   - What belongs to a session, even if it is only asked: LAST_INSERT_ID(), FOUND_ROWS(), @a, lastval(), SHOW WARNINGS,
//     changes(), currval(), cursors, prepared statements. On another connection the answer is another.
//   - What only a primary has: pg_current_wal_lsn(), pg_walfile_name().
//   - On PostgreSQL, columns called as a listed function, after a dot (t.nextval); columns called last_value, log_cnt or
//     is_called that stand alone.
//   - Large objects: lo_get reads, but goes with its group.
//   - In a plain EXPLAIN, locking clauses and the functions of the list: a planner may run functions.
//   - MySQL's comments with code, unless they hold only select options such as /*!40001 SQL_NO_CACHE */: some versions
//     run what others skip.
//   - MySQL, where writer functions are named: calls of a function with a name beyond ASCII.
//   - A number with a word glued to it (1for): versions lex it differently.
//   - A call by a name of 256 bytes or more; more than 16 WITH lists nested in each other; U&"…" that is called or has an UESCAPE.
//   - INTO as an alias, unless AS precedes it on the same line.
//
// # What the text does not show
//
// A function of the user's that writes, a view or rule or operator that calls one, a function of an extension's schema
// that the search path finds, SELECT * FROM s of a sequence: none can be told from the text. Name such functions to [New],
// without wildcards where PostgreSQL may call them as an attribute (row.charge); the others are left to the server:
// readers are opened read-only, and refuse them before anything is written.
package sqlkind
