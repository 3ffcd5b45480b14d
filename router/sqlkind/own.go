package sqlkind

import (
	_ "embed" // the lists of functions
	"strings"
	"sync"
)

// own are the functions that a server has of its own, and the words that look like calls of them: see harmless.go.
type own struct {
	names map[string]bool // true for functions, false for words
}

// The functions that every supported version has in its own schema. One that only some have may be a user's on the
// others, and is not listed. Nor is one of PostgreSQL's that a user may well give a function of his own that writes, with
// other arguments: charge, broadcast, convert, host, log, name, network, reverse, scale, sign, strip, text.
// own_servers_test.go compares them with what servers have.
var (
	//go:embed own_postgres.txt
	postgresOwn string
	//go:embed own_mysql.txt
	mysqlOwn string
	//go:embed own_sqlite.txt
	sqliteOwn string

	ownOfPostgres = sync.OnceValue(func() *own { return newOwn(postgresOwn, postgresNoCalls) })
	ownOfMySQL    = sync.OnceValue(func() *own { return newOwn(mysqlOwn, mysqlNoCalls) })
	ownOfSQLite   = sync.OnceValue(func() *own { return newOwn(sqliteOwn, sqliteNoCalls) })
)

func newOwn(functions, words string) *own {
	o := &own{names: make(map[string]bool, 2500)}
	for _, word := range strings.Fields(words) {
		o.names[word] = false
	}
	for _, name := range strings.Fields(functions) {
		o.names[name] = true
	}
	return o
}

// find reports whether the name, in quotes or not, is that of a function, and whether it is listed at all.
func (o *own) find(name string, quoted bool) (function, known bool) {
	var buf [64]byte
	if len(name) > len(buf) {
		return false, false
	}
	for i := range len(name) {
		if quoted {
			buf[i] = name[i] // and so it has the case that it was given
		} else {
			buf[i] = lower(name[i])
		}
	}
	function, known = o.names[string(buf[:len(name)])]
	return function, known
}
