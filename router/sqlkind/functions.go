package sqlkind

// functions is a group of a server's own functions, or relations, that are no plain reads, for one reason.
// The tables are in postgres_functions.go, postgres_extensions.go, postgres_local.go, mysql_functions.go and
// sqlite_functions.go.
type functions struct {
	action action // calls if zero
	reason string
	manual string   // the section that describes them
	names  []string // globs; one with a schema counts where that is named
}
