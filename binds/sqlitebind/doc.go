// Package sqlitebind opens SQLite databases, by modernc.org/sqlite, without cgo. Importing it
// registers the scheme sqlite:
//
//	import _ "github.com/bindery-go/bindery/binds/sqlitebind"
//
// # URIs
//
//	sqlite:///var/lib/app/app.db     an absolute path
//	sqlite:app.db, sqlite:./app.db   relative to the working directory at the time of opening
//	sqlite::memory:                  a database in memory, gone with its last engine
//
// In a file's name write "?" as %3F, "#" as %23 and "%" as %25. A blank may stand for itself. On
// Windows a volume follows the third slash: sqlite:///C:/data/app.db.
//
// # Parameters
//
//	busy_timeout        how long to wait for another process's lock, 5s; a plain number is milliseconds
//	journal_mode        wal (default), delete, truncate, persist, memory, off; checked to have taken effect
//	synchronous         off, normal (default: safe in WAL mode, a power cut may lose the last commits), full, extra
//	foreign_keys        on (default) or off
//	cache_size          pages, or KiB if negative; SQLite's default
//	mmap_size           bytes of the file to map, 0 to 2147483647; SQLite's default
//	temp_store          default, file, memory
//	wal_autocheckpoint  pages after which the log is folded into the file, 1000; 0 means never
//	mode                rwc (default: create what is missing), rw (the file must exist), ro (neither role writes)
//	immutable           on: the file never changes, so no locks and no log; needs mode=ro. For read-only media
//	create_dir          on: create a missing directory too, with mode 0750
//	file_mode           mode of a database that is created, such as 0660 for a group that shares it, whatever the umask is; by default
//	                    0600 less what the umask takes: its owner's alone. See Files
//	trusted_schema      on: views, triggers, CHECK, DEFAULT, generated columns and indexes may call the program's own functions, see
//	                    [WithFunction]; default off, so that a file from elsewhere runs nothing
//	allow               what statements of the writer may do besides, with a comma between: attach for ATTACH and VACUUM INTO, which read
//	                    and write any file of this process; writable_schema for that PRAGMA, schema_version, journal_mode=off and writes to sqlite_dbpage, which
//	                    can damage the file. Default: neither, a [*NotAllowedError]; PRAGMA temp_store_directory and
//	                    data_store_directory are that always, PRAGMA trusted_schema=on unless the URI says so
//
// They are SQLite's own words, https://www.sqlite.org/pragma.html. For a memory database only
// busy_timeout, synchronous, foreign_keys, cache_size, temp_store, trusted_schema and allow have a meaning. Anything else is
// refused by name. [WithPragma], [WithFunction] and [WithCollation] add the rest in code.
//
// # Files
//
// A database that is missing is created with mode 0600, and with file_mode as that says. SQLite gives the files that it makes beside it, app.db-wal,
// app.db-shm and app.db-journal, the database's own mode, and so has the file of named locks. Where a group shares a database, each of its
// members must be able to write the directory, too, also to read in WAL mode: say file_mode=0660, and give the directory that group (setgid). A
// file that exists keeps its mode. What VACUUM INTO and a backup write has SQLite's mode, 0644 less the umask: create the target, empty, before.
//
// # Two engines on one file
//
// The writer is one connection. Its transactions begin IMMEDIATE: they wait for SQLite's lock at
// BEGIN and cannot fail later because another came first, as a deferred transaction that reads and
// then writes does. Within a process writers queue in the pool, which is fair and has no timeout but
// the context's; another process's lock is waited for as long as busy_timeout says. Since there is one
// connection, a program that holds it, with open rows or a transaction, and asks the writer again
// without it waits for itself: finish the rows first, and use the transaction.
//
// A BeginTx that is ReadOnly is deferred, and refuses writes on the writer too. SQLite knows one
// isolation level, serializable, and grants it to whoever asks for a weaker one.
//
// Readers are a pool. Their belt has three parts: mode=ro, which no statement undoes, query_only,
// and a ban on ATTACH and VACUUM INTO, which would write other files. A connection of either role that a PRAGMA, an ATTACH or a temporary
// table has changed is closed when it is given back, the one writing connection too: what needs it for more than one statement
// holds it. A reader that comes before the file exists has it made, by the URI's
// rules.
//
// # Memory databases
//
// Each opened URI is a database of its own, shared by the engines made from it, and there are no two
// roles to split: a memory database has no write-ahead log, so a transaction that writes keeps
// everybody else waiting, and rows that are open keep a COMMIT waiting, at most for busy_timeout. Reads
// inside open rows are fine.
//
// # Named locks
//
// A named lock is a row of the table bindery_locks in a file of its own beside the database, app.db-locks,
// which the first lock creates with the database's permissions. There, because the database has one
// writer at a time: a long transaction would keep its own process from renewing a lock. All processes
// must see the same file, and be on one machine, as SQLite itself wants it. It may be removed while no
// process runs; a holder under whose feet it is removed has lost its locks, and knows within a second.
//
// A row is held for ten seconds from its last renewal, once a second. A holder that could not renew it
// for eight knows that it has lost it; others take it after ten at the earliest, and once they have seen
// that nobody renewed it for 2.5 seconds, so that a clock which was set, or a machine that slept, takes
// no lock from a process that lives. Waiters look up to fifty times a second. The fence is
// a counter that starts at the time in microseconds: it grows past the loss of the file.
//
// A memory database's locks are in memory, for the engines that share it.
//
// # Contexts
//
// When a statement's context ends, the statement is interrupted, between the rows of a query too, and
// so is a wait for a lock. The error is an [*InterruptedError], which matches the context's, and
// means that the statement was undone; the connection stays good. A statement that was done by then is a
// success. An interrupted write takes its whole transaction with it: SQLite rolls it back, and what
// follows in it is refused with [ErrTxLost] instead of being committed by itself. An interrupt hits
// every statement that its connection is running, so also other rows that are open in the transaction.
// In a text of several statements, those before the interrupted one stay done outside a transaction.
//
// # Times
//
// Times are written as Bun writes them, as text in UTC, and read in UTC.
package sqlitebind
