// Package sqlkind tells from a statement's text whether a reader may run it.
package sqlkind
