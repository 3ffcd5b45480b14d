package sqlitebind

import (
	"reflect"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// handle is SQLite's own view of a connection, for what modernc.org/sqlite does not offer: to
// interrupt a query between its rows, to end a wait for a lock with its context, and to see whether
// a transaction is still open.
//
// Its calls belong to the goroutine that uses the connection, interrupt excepted.
type handle struct {
	db  uintptr // *sqlite3
	tls *libc.TLS
}

// handleOf finds the handle in the field db of modernc's connection, which has been there in
// every version. Reflection may read an unexported field, never write it; TestHandle fails when a
// new version looks different, and so does every Connect.
func handleOf(raw any) (*handle, error) {
	v := reflect.ValueOf(raw)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		if f := v.Elem().FieldByName("db"); f.IsValid() && f.Kind() == reflect.Uintptr && f.Uint() != 0 {
			return &handle{db: uintptr(f.Uint()), tls: libc.NewTLS()}, nil
		}
	}
	return nil, errNoHandle
}

// autocommit reports whether no transaction is open.
func (h *handle) autocommit() bool { return sqlite3.Xsqlite3_get_autocommit(h.tls, h.db) != 0 }

// onBusy makes SQLite call [waitForLock] with id when it meets a lock.
func (h *handle) onBusy(id uintptr) {
	sqlite3.Xsqlite3_busy_handler(h.tls, h.db, busyCallback, id)
}

// forbidAttach leaves the connection no other file to write to, through ATTACH or VACUUM INTO.
func (h *handle) forbidAttach() {
	sqlite3.Xsqlite3_limit(h.tls, h.db, sqlite3.SQLITE_LIMIT_ATTACHED, 0)
}

// interrupt may be called from any goroutine while the connection is open: it uses no TLS but its own.
func (h *handle) interrupt() {
	tls := libc.NewTLS()
	sqlite3.Xsqlite3_interrupt(tls, h.db)
	tls.Close()
}

func (h *handle) close() { h.tls.Close() }

// busyCallback is waitForLock as C code calls it: a function value is a pointer to a pointer to code,
// https://golang.org/s/go11func, and the transpiled SQLite calls such values.
var busyCallback = func() uintptr {
	f := struct {
		call func(*libc.TLS, uintptr, int32) int32
	}{waitForLock}
	return *(*uintptr)(unsafe.Pointer(&f))
}()
