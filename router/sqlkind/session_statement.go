package sqlkind

import "github.com/uptrace/bun/dialect"

// A sessionStatement is what one statement says that matters to the session it runs in.
type sessionStatement struct {
	s     *scanner
	from  int       // where it begins
	head  [4]string // its first words, "" where there is none, in quotes or not
	heads int

	calls    bool // a function that leaves something is called
	temp     bool // before the first parenthesis or AS: TEMP, or a name in the schema of temporary tables
	intoTemp bool // INTO TEMP
	drops    bool // ON COMMIT DROP
	holds    bool // WITH HOLD
	chains   bool // AND CHAIN, or RELEASE
	settings bool // UPDATE pg_settings

	recent  [4]token // the latest tokens, the last of them first
	pending [4]int   // the depths in whose parentheses the arguments of set_config are
	open    int
}

// read reads the statement that begins at i, and returns where it ends; it is writes if it cannot be read.
func (st *sessionStatement) read(i int) int {
	s := st.s
	depth, naming := 0, true
	st.from = i
	for i < len(s.q) && s.q[i] != ';' {
		c := s.lang.class[s.q[i]]
		switch t := st.recent[0]; c {
		case opening:
			depth++
			naming = naming && !(t.name && st.heads > 1)
			if t.name && st.call(s.q[t.from:t.to], depth) {
				return i
			}
		case closing:
			if st.open > 0 && st.pending[st.open-1] == depth {
				st.open--
				if st.calls = !st.endsLocal(); st.calls {
					return i
				}
			}
			depth--
		}
		t, end := s.token(i, c)
		if end == writes {
			return writes
		}
		if t.name {
			naming = st.word(t, naming)
		}
		copy(st.recent[1:], st.recent[:])
		st.recent[0] = t
		if i = s.skip(end); i == writes {
			return writes
		}
	}
	return i
}

// call notes that a function is called, and reports whether nothing more need be known. The third argument of set_config
// decides over it: it is looked at where the parenthesis of this depth closes.
func (st *sessionStatement) call(name string, depth int) bool {
	if !st.s.lang.callsForSession(name) {
		return false
	}
	if st.s.lang.dialect == dialect.PG && equalFold(name, "set_config") && st.open < len(st.pending) {
		st.pending[st.open] = depth
		st.open++
		return false
	}
	st.calls = true
	return true
}

// endsLocal reports whether the latest tokens are the argument true: what it sets ends with the transaction.
func (st *sessionStatement) endsLocal() bool {
	r, s := &st.recent, st.s
	at := 0
	if s.is(r[0], "bool") || s.is(r[0], "boolean") {
		if r[1].last != ':' || r[2].last != ':' {
			return false
		}
		at = 3
	}
	value := s.q[r[at].from:r[at].to]
	if !equalFold(value, "true") && !equalFold(value, "'true'") && !equalFold(value, "'t'") && !equalFold(value, "'on'") {
		return false
	}
	if at == 3 { // what stands before the value was not kept: a comma, if nothing is to go wrong
		b := s.before(r[3].from)
		return b > 0 && s.q[b-1] == ','
	}
	return r[1].last == ',' || r[1].last == '>' && r[2].last == '=' || r[1].last == '=' && r[2].last == ':'
}

// word takes in a name or keyword. Naming says, before and after it, that the name of what the statement makes may follow.
func (st *sessionStatement) word(t token, naming bool) bool {
	s, before := st.s, st.recent[0]
	text := s.q[t.from:t.to]
	if st.heads < len(st.head) {
		st.head[st.heads] = text
		st.heads++
	}
	st.settings = st.settings || equalFold(text, "pg_settings")
	if t.quoted {
		return naming && !st.inTemp(text, t.to+1)
	}
	switch {
	case equalFold(text, "as"), equalFold(text, "on") && !equalFold(st.head[1], "trigger"):
		naming = false
	case equalFold(text, "temp"), equalFold(text, "temporary"):
		st.temp = st.temp || naming && st.heads <= len(st.head) && s.at(t.to) != '.'
		st.intoTemp = st.intoTemp || s.is(before, "into") ||
			(s.is(before, "local") || s.is(before, "global")) && s.is(st.recent[1], "into")
	case equalFold(text, "for") && st.s.lang.dialect == dialect.MySQL && equalFold(st.head[0], "set") && equalFold(st.head[1], "statement"):
		st.head, st.heads = [4]string{}, 0 // MariaDB's SET STATEMENT … FOR is over when the statement that follows is
	case equalFold(text, "drop"):
		st.drops = st.drops || s.is(before, "commit") && s.is(st.recent[1], "on")
	case equalFold(text, "hold"):
		st.holds = st.holds || s.is(before, "with")
	case equalFold(text, "chain"), equalFold(text, "release") && st.heads > 1:
		st.chains = true
	}
	return naming && !st.inTemp(text, t.to)
}

// inTemp notes a name that is that of the schema of temporary tables, and reports whether it is.
func (st *sessionStatement) inTemp(text string, end int) bool {
	if !equalFold(text, "temp") && !equalFold(text, "pg_temp") {
		return false
	}
	next := st.s.skip(end)
	if next == writes || st.s.at(next) != '.' {
		return false
	}
	st.temp = true
	return true
}

// changes reports whether the statement, which was read whole, may leave something in the session.
func (st *sessionStatement) changes() bool {
	verb := st.head[0]
	switch {
	case has(leavesNothingAnywhere, verb):
		return st.intoTemp && !equalFold(verb, "insert")
	case equalFold(verb, "create"):
		return st.temp && !st.drops
	case equalFold(verb, "commit"), equalFold(verb, "rollback"):
		return st.chains && st.s.lang.dialect == dialect.MySQL
	}
	switch st.s.lang.dialect {
	case dialect.PG:
		return st.changesPostgres(verb)
	case dialect.MySQL:
		return st.changesMySQL(verb)
	}
	return st.changesSQLite(verb)
}

func (st *sessionStatement) changesPostgres(verb string) bool {
	second := st.head[1]
	switch {
	case has(leavesNothingInPostgres, verb):
		return false
	case equalFold(verb, "update"):
		return st.settings
	case equalFold(verb, "set"): // the rest of the transaction's end with that
		return !equalFold(second, "local") && !equalFold(second, "transaction") && !equalFold(second, "constraints")
	case equalFold(verb, "prepare"):
		return !equalFold(second, "transaction")
	case equalFold(verb, "declare"):
		return st.holds
	}
	return true
}

func (st *sessionStatement) changesMySQL(verb string) bool {
	switch {
	case has(leavesNothingInMySQL, verb), equalFold(verb, "update"):
		return false
	case equalFold(verb, "flush"): // WITH READ LOCK, FOR EXPORT
		return equalFold(st.head[1], "tables") || equalFold(st.head[1], "table")
	}
	return true
}

func (st *sessionStatement) changesSQLite(verb string) bool {
	switch {
	case has(leavesNothingInSQLite, verb), equalFold(verb, "update"):
		return false
	case equalFold(verb, "pragma"):
		name := st.head[1]
		if equalFold(name, "main") && st.heads > 2 {
			name = st.head[2]
		}
		return !has(pragmasOfTheFile, name) && !st.readsPragma()
	}
	return true
}

// readsPragma reports whether the statement, which is a PRAGMA, only reads.
func (st *sessionStatement) readsPragma() bool {
	s := scanner{q: st.s.q, lang: st.s.lang, words: st.s.words}
	return sqlitePragma(&s, s.wordEnd(st.from)) != writes
}

func has(words []string, word string) bool {
	for _, w := range words {
		if equalFold(word, w) {
			return true
		}
	}
	return false
}

// The first words of statements that leave nothing in a session, but for what functions do that they call. What they leave in
// a transaction that they are in, or begin, is seen where the connection is given back. On MySQL that is not seen of BEGIN.
var (
	leavesNothingAnywhere = []string{
		"select", "values", "table", "with", "insert", "delete", "replace", "explain", "alter", "drop", "savepoint", "release", "analyze",
	}
	leavesNothingInPostgres = []string{
		"merge", "show", "truncate", "grant", "revoke", "begin", "start", "end", "abort", "vacuum", "reindex", "cluster", "comment", "copy",
		"call", "notify", "lock", "refresh", "checkpoint", "import", "security", "reassign", "fetch", "move", "close",
	}
	leavesNothingInMySQL = []string{
		"show", "describe", "desc", "truncate", "grant", "revoke", "optimize", "check", "checksum", "repair", "rename", "call", "do",
		"load", "kill", "purge",
	}
	leavesNothingInSQLite = []string{"begin", "end", "reindex", "vacuum"}

	// pragmasOfTheFile do something to the file, or set what it holds, whatever their argument is.
	pragmasOfTheFile = []string{"optimize", "wal_checkpoint", "incremental_vacuum", "shrink_memory", "user_version", "application_id"}
)
