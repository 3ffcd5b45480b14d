package sqlitebind

import (
	"errors"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.ErrorReader = (*Driver)(nil)

// causes are by extended result codes, https://www.sqlite.org/rescode.html.
var causes = map[int]binds.Cause{
	sqlite3.SQLITE_CONSTRAINT_UNIQUE:     binds.UniqueViolation,
	sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: binds.UniqueViolation,
	sqlite3.SQLITE_CONSTRAINT_ROWID:      binds.UniqueViolation,
	sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: binds.ForeignKeyViolation,
	sqlite3.SQLITE_CONSTRAINT_NOTNULL:    binds.NotNullViolation,
	sqlite3.SQLITE_CONSTRAINT_CHECK:      binds.CheckViolation,
	sqlite3.SQLITE_BUSY_SNAPSHOT:         binds.SerializationFailure,
}

// ReadError says what an error of SQLite means. It tells no more of a foreign key than that.
func (*Driver) ReadError(err error) *binds.ServerError {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	read := &binds.ServerError{Cause: causes[e.Code()], Code: strconv.Itoa(e.Code()), Err: e}
	if read.Cause == binds.OtherCause {
		switch e.Code() & 0xff { // the primary code
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			read.Cause = binds.LockNotAvailable
		case sqlite3.SQLITE_READONLY:
			read.Cause = binds.ReadOnlyRefusal
		}
	}
	// "UNIQUE constraint failed: users.first, users.last", "CHECK constraint failed: name"
	const before = "constraint failed: "
	message := strings.TrimSuffix(e.Error(), " ("+read.Code+")")
	i := strings.LastIndex(message, before)
	if i < 0 {
		return read
	}
	names := message[i+len(before):]
	switch read.Cause {
	case binds.CheckViolation:
		read.Constraint = names
	case binds.UniqueViolation, binds.NotNullViolation:
		if index, ok := strings.CutPrefix(names, "index '"); ok { // one on an expression
			read.Constraint = strings.TrimSuffix(index, "'")
			break
		}
		for name := range strings.SplitSeq(names, ", ") {
			table, column, ok := strings.Cut(name, ".")
			if !ok || strings.Contains(column, ".") { // a name with a point in it
				read.Table, read.Columns = "", nil
				break
			}
			read.Table = table
			read.Columns = append(read.Columns, column)
		}
	}
	return read
}
