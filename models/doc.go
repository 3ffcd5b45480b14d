// Package models holds what models need on any database: mixins, field types, optimistic locking,
// filters, bulk inserts and the queries that each database spells in its own way.
//
// It builds on Bun alone and runs on PostgreSQL, MySQL, MariaDB and SQLite. Whatever takes a
// bun.IDB takes a *bun.DB, a bun.Tx and a bun.Conn, and the DBs of a manager's binds.
//
// The field types [LongText], [JSON], [List], [Serialized], [Encrypted] and [Enum] know their columns on each
// database. Bun does not ask them: call [Register] with the models once after opening a DB, before
// CREATE TABLE and the first query. NULL is said in Bun's way: a pointer that is nil, or the tag
// nullzero.
package models
