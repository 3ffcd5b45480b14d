package sqlkind

// functions is a group of a server's own functions that a reader must not run, for one reason.
// The tables are in postgres_functions.go, mysql_functions.go and sqlite_functions.go.
type functions struct {
	reason string
	manual string   // the section that describes them
	names  []string // globs
}
