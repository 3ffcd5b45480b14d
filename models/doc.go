// Package models holds what models need on any database: mixins, field types, optimistic locking,
// filters, bulk inserts and the queries that each database spells in its own way.
//
// It builds on Bun alone and runs on PostgreSQL, MySQL, MariaDB and SQLite. Whatever takes a
// bun.IDB takes a *bun.DB, a bun.Tx and a bun.Conn, and the DBs of a manager's binds.
//
// The field types [LongText], [JSON], [List], [Serialized], [Encrypted], [Enum] and [Vector] know their columns on each
// database. Bun does not ask them, but a manager does; for a bun.DB of your own see [WithFieldTypes], or call [Register] with the models once after opening it, before
// CREATE TABLE and the first query. NULL is said in Bun's way: a pointer that is nil, or the tag
// nullzero.
//
// The mixins [Timestamps], [EpochTimestamps] and [Version] need no set-up: embed them, by value and
// without a name, and plain Bun calls them, whatever they stand beside. Go by itself would not have
// that: of two embedded types with a hook of the same name it promotes neither, and says nothing. So
// each mixin holds its hooks at depths of its own, whichever is promoted finds all mixins by the
// model's type, and a BeforeAppendModel of yours that is lost between two types is called as well. A
// hook that is lost otherwise is an error: an [*AmbiguousHookError] before the statement, or a
// [*HiddenHookError], at the latest after it, where the model has a hook of its own that hides them
// (call [BeforeInsert] or [BeforeUpdate] from that). Mixins see the statements of NewInsert and
// NewUpdate with a model of their type. They do not see NewRaw, NewMerge, models that are maps,
// INSERT … SELECT, the UPDATE that a soft delete is, and fields tagged embed:.
//
// A [Signal] of [OnInsert], [OnUpdate] or [OnDelete] is a Bun query hook: add it to the DB.
//
// Filters are conditions on a model's columns, made by [Filter] of a map or by [Eq], [In] and the other
// operators, and added to a select, update or delete by [Where]. Names and values may be a user's: what the
// model cannot have is an error of the query, and nothing but literals becomes SQL. [FetchPage]
// reads a select in pages by keyset, [Paginate] by offset, in an [Order] that may be a user's as well.
//
// [BulkInsert] writes many rows in batches. [TopN], [Latest], [Claim] and expressions such as [Now],
// [AddSeconds] and [JSONText] are spelled for the dialect when the query is written; names in them
// are the model's columns or quoted, and values are data. An [Expr] stands wherever Bun takes a value.
package models
