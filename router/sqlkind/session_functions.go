package sqlkind

// sessionFunctions are the server's own functions, and those of its extensions, that leave something in the session.
type sessionFunctions struct {
	reason string
	manual string // the section that describes them
	names  []string
}

var postgresSession = []sessionFunctions{
	{"they set a setting", "9.28.1 and F.35 (pg_trgm)", []string{"set_config", "set_limit"}},
	{"they take a lock that the session holds", "9.28.10", []string{
		"pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared",
	}},
	{"the next random numbers follow from it", "9.3", []string{"setseed"}},
	{"the session holds a connection to another server", "F.12 (dblink)", []string{"dblink_connect", "dblink_connect_u"}},
	{"the session replays for an origin", "9.28.6", []string{"pg_replication_origin_session_setup"}},
	{"the session holds a backup", "9.28.3", []string{"pg_backup_start", "pg_start_backup"}},
}

var mysqlSession = []sessionFunctions{
	{"it takes a lock that the session holds", "14.14", []string{"get_lock"}},
}

var sqliteSession = []sessionFunctions{
	{"the connection has what the library brings", "load_extension", []string{"load_extension"}},
}

// A sessionTable finds functions by name.
type sessionTable struct {
	sizes uint64 // bit n: a name has n bytes
	ends  [8]uint64
	names []string
}

func newSessionTable(groups []sessionFunctions) sessionTable {
	var t sessionTable
	for _, g := range groups {
		for _, n := range g.names {
			t.sizes |= 1 << len(n)
			t.names = append(t.names, n)
			t.end(n[len(n)-2], n[len(n)-1])
			for _, quote := range []byte("\"`]") { // SQL's own quotes of names
				t.end(n[len(n)-1], quote)
			}
		}
	}
	for before := range 256 { // a comment may end there
		for _, last := range []byte("/\t\n\v\f\r ") {
			t.end(byte(before), last)
		}
	}
	return t
}

// end admits names, in quotes or not, that end with the two bytes in any case.
func (t *sessionTable) end(a, b byte) {
	place := pairOf(a, b)
	t.ends[place>>6] |= 1 << (place & 63)
}

// mayEnd tells whether such a name may end with the two bytes, or a comment.
func (t *sessionTable) mayEnd(a, b byte) bool {
	place := pairOf(a, b)
	return t.ends[place>>6]>>(place&63)&1 != 0
}

// callsForSession reports whether a function of that name leaves something in the session.
func (l *language) callsForSession(name string) bool {
	return len(name) < 64 && l.session.sizes>>len(name)&1 != 0 && has(l.session.names, name)
}
