package sqlitebind

import (
	"errors"
	"strings"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/binds/internal/dburi"
)

// Permissions are what statements may do only where the URI says so. Its zero value allows nothing of it.
type permissions uintptr

const (
	mayAttach      permissions = 1 << iota // ATTACH, and VACUUM INTO, which is one to SQLite
	mayWriteSchema                         // PRAGMA writable_schema, and what else damages the file
	mayTrust                               // PRAGMA trusted_schema = on
)

var permissionNames = map[string]permissions{"attach": mayAttach, "writable_schema": mayWriteSchema}

// readAllow reads names with commas between them.
func readAllow(p *dburi.Params) (all permissions) {
	if !p.Has("allow") {
		return 0
	}
	for name := range strings.SplitSeq(p.String("allow", ""), ",") {
		one, ok := permissionNames[name]
		if !ok {
			p.Fail("parameter %q must name attach or writable_schema, or both with a comma between them", "allow")
		}
		all |= one
	}
	return all
}

// authorize has SQLite ask [authorized] while it compiles a statement, https://www.sqlite.org/c3ref/set_authorizer.html. It lasts
// as long as the connection.
//
// Without mayWriteSchema the connection is defensive, too: no statement writes to sqlite_dbpage or the tables behind virtual ones, sets
// PRAGMA schema_version, or turns the journal off (https://www.sqlite.org/c3ref/c_dbconfig_defensive.html). Those that SQLite then
// ignores are refused here.
func (h *handle) authorize(may permissions) error {
	sqlite3.Xsqlite3_set_authorizer(h.tls, h.db, authorizer, uintptr(may))
	if may&mayWriteSchema != 0 {
		return nil
	}
	list := libc.Xmalloc(h.tls, 16) // two arguments, of 8 bytes each on every machine
	if list == 0 {
		return errNoDefence
	}
	defer libc.Xfree(h.tls, list)
	if sqlite3.Xsqlite3_db_config(h.tls, h.db, sqlite3.SQLITE_DBCONFIG_DEFENSIVE, libc.VaList(list, int32(1), uintptr(0))) != sqlite3.SQLITE_OK {
		return errNoDefence
	}
	return nil
}

var errNoDefence = errors.New("sqlitebind: SQLite does not let the connection be defensive")

// authorized answers SQLite. It is called with names as they are written.
func authorized(_ *libc.TLS, may uintptr, action int32, first, second, _, _ uintptr) int32 {
	switch action {
	case sqlite3.SQLITE_ATTACH:
		// A plain VACUUM attaches a file without a name, which is SQLite's own and gone with the connection.
		if permissions(may)&mayAttach == 0 && (first == 0 || libc.GoString(first) != "") {
			return sqlite3.SQLITE_DENY
		}
	case sqlite3.SQLITE_PRAGMA:
		if second != 0 && !permissions(may).lets(strings.ToLower(libc.GoString(first)), strings.ToLower(libc.GoString(second))) {
			return sqlite3.SQLITE_DENY
		}
	}
	return sqlite3.SQLITE_OK
}

// lets reports whether a pragma may have a value.
func (may permissions) lets(pragma, value string) bool {
	switch pragma {
	case "writable_schema", "schema_version":
		return may&mayWriteSchema != 0
	case "journal_mode":
		return may&mayWriteSchema != 0 || value != "off"
	case "trusted_schema":
		return may&mayTrust != 0 || value == "0" || value == "off" || value == "no" || value == "false"
	case "temp_store_directory", "data_store_directory":
		return false // of the whole process
	}
	return true
}

// authorizer is authorized as C code calls it, see [busyCallback].
var authorizer = func() uintptr {
	f := struct {
		call func(*libc.TLS, uintptr, int32, uintptr, uintptr, uintptr, uintptr) int32
	}{authorized}
	return *(*uintptr)(unsafe.Pointer(&f))
}()

// NotAllowedError reports a statement that SQLite did not compile because the URI does not allow it: ATTACH and VACUUM INTO, which
// reach other files; PRAGMA writable_schema, schema_version and journal_mode = off, by which a statement can damage the file; PRAGMA
// trusted_schema = on; and PRAGMA temp_store_directory and data_store_directory, which are the whole process's and never allowed. Nothing
// was done. A write to sqlite_dbpage is an error of SQLite's own.
type NotAllowedError struct {
	Err error // SQLite's
}

func (e *NotAllowedError) Error() string {
	return "sqlitebind: the URI does not allow the statement: ATTACH and VACUUM INTO need allow=attach there, " +
		"PRAGMA writable_schema, schema_version and journal_mode=off need allow=writable_schema, PRAGMA trusted_schema=on needs " +
		"trusted_schema=on, and PRAGMA temp_store_directory and data_store_directory are never allowed: " + e.Err.Error()
}

// Unwrap returns SQLite's error.
func (e *NotAllowedError) Unwrap() error { return e.Err }

// explainDenied adds the cure to the error of a statement that the authorizer refused.
func explainDenied(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_AUTH {
		return &NotAllowedError{Err: err}
	}
	return err
}
