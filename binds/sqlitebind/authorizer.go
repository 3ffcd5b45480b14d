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
	mayWriteSchema                         // PRAGMA writable_schema
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
func (h *handle) authorize(may permissions) {
	sqlite3.Xsqlite3_set_authorizer(h.tls, h.db, authorizer, uintptr(may))
}

// authorized answers SQLite. It is called with names as they are written.
func authorized(_ *libc.TLS, may uintptr, action int32, first, second, _, _ uintptr) int32 {
	switch action {
	case sqlite3.SQLITE_ATTACH:
		// A plain VACUUM attaches a file without a name, which is SQLite's own and gone with the connection.
		if permissions(may)&mayAttach == 0 && (first == 0 || libc.GoString(first) != "") {
			return sqlite3.SQLITE_DENY
		}
	case sqlite3.SQLITE_PRAGMA:
		if permissions(may)&mayWriteSchema == 0 && second != 0 && strings.EqualFold(libc.GoString(first), "writable_schema") {
			return sqlite3.SQLITE_DENY
		}
	}
	return sqlite3.SQLITE_OK
}

// authorizer is authorized as C code calls it, see [busyCallback].
var authorizer = func() uintptr {
	f := struct {
		call func(*libc.TLS, uintptr, int32, uintptr, uintptr, uintptr, uintptr) int32
	}{authorized}
	return *(*uintptr)(unsafe.Pointer(&f))
}()

// NotAllowedError reports a statement that SQLite did not compile because the URI does not allow it: ATTACH and VACUUM INTO, which
// reach other files, and PRAGMA writable_schema, by which a statement can damage the file. Nothing was done.
type NotAllowedError struct {
	Err error // SQLite's
}

func (e *NotAllowedError) Error() string {
	return "sqlitebind: the URI does not allow the statement: ATTACH and VACUUM INTO need allow=attach there, " +
		"PRAGMA writable_schema needs allow=writable_schema: " + e.Err.Error()
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
