// Package binds names databases and opens them.
//
// A bind is a database known by a [Key]. Its URI says where the database is; the scheme says which
// driver opens it. Drivers register themselves when imported:
//
//	import _ "github.com/bindery-go/bindery/binds/pgbind" // postgres://, postgresql://
//
// Models say which bind they live in by embedding a marker, an empty struct type with a BindKey
// method; [KeyOf] reads it. An [Engine] is one opened server in one [Role], writer or reader.
package binds
