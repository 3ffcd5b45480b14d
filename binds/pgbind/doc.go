// Package pgbind opens PostgreSQL databases.
package pgbind
