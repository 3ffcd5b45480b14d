// Package models holds what models need on any database: mixins, field types, optimistic locking,
// filters, bulk inserts and the queries that each database spells in its own way.
//
// It builds on Bun alone and runs on PostgreSQL, MySQL, MariaDB and SQLite. Whatever takes a
// bun.IDB takes a *bun.DB, a bun.Tx and a bun.Conn, and the DBs of a manager's binds.
package models
