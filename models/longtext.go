package models

import "github.com/uptrace/bun/dialect"

// LongText is a string of any length: LONGTEXT on MySQL and MariaDB, where Bun makes a string VARCHAR(255),
// and TEXT elsewhere. NULL reads as "". Everything else is as with a string.
//
// A server takes less than the column can hold: MySQL's max_allowed_packet, which includes the
// statement, is 16 MB to 64 MB by default. PostgreSQL holds 1 GB and no NUL character, SQLite 1 GB.
//
// An index needs a prefix on MySQL, `CREATE INDEX … (body(100))`, and on PostgreSQL something shorter than
// 2704 bytes, such as `(md5(body))`.
type LongText string

var _ ColumnTyper = LongText("")

// ColumnType returns LONGTEXT or TEXT.
func (LongText) ColumnType(d dialect.Name) string {
	switch d {
	case dialect.MySQL:
		return "LONGTEXT"
	case dialect.PG, dialect.SQLite:
		return "TEXT"
	}
	return ""
}
