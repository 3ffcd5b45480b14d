package sqlkind

import "github.com/uptrace/bun/dialect"

// mysql lexes as MySQL and MariaDB do, with backslash escapes. Where the two differ, or ANSI_QUOTES
// would make a difference, it is a Write.
var mysql = &language{
	dialect:        dialect.MySQL,
	own:            ownOfMySQL,
	session:        newSessionTable(mysqlSession),
	class:          mysqlClasses(),
	words:          newWords(false, mysqlKeywords, mysqlFunctions, mysqlLocal),
	blankAfterDash: true,
	codeInComments: true,
	digitsInNames:  true,
	accents:        true,
}

func mysqlClasses() [256]class {
	c := ordinary()
	for b := 0x80; b <= 0xff; b++ {
		c[b] = foreign
	}
	for _, b := range []byte("?{}") {
		c[b] = blank
	}
	c['$'] = letter
	c['\''], c['"'], c['`'] = escaped, escaped, name
	c['#'], c['@'], c[':'], c['\\'] = hash, at, colon, escape
	return c
}

var mysqlKeywords = map[string]action{
	"for":                 forLock,
	"with":                list,
	"into":                into,
	"insert":              insert,
	"replace":             insert,
	"update":              update,
	"delete":              remove,
	"lock":                lockIn,
	"value":               valueFor,
	"nextval":             sequence,
	"currval":             sequence,
	"sql_calc_found_rows": always, // for FOUND_ROWS() in the same session
	"information_schema":  schema,
	"performance_schema":  schema,
	"sys":                 schema,
	"mysql":               schema,
}

// selectOptions are what may stand in a comment that is code to some versions, and changes nothing here.
var selectOptions = []string{
	"straight_join", "sql_no_cache", "sql_cache", "sql_small_result", "sql_big_result", "sql_buffer_result",
	"high_priority", "distinct", "all",
}

// sessionVariables are system variables that tell what the session did before.
var sessionVariables = []string{
	"identity", "last_insert_id", "insert_id", "last_gtid", "warning_count", "error_count", "in_transaction",
	"rand_seed1", "rand_seed2", "gtid_next", "pseudo_thread_id", "statement_id",
}

// mysqlHead knows SHOW, DESCRIBE, EXPLAIN and MariaDB's ANALYZE.
func mysqlHead(s *scanner, verb keyword, end int) int {
	switch verb {
	case kwShow:
		s.show = true
		return mysqlShow(s, end)
	case kwDescribe, kwExplain:
		return mysqlExplain(s, end, true)
	case kwAnalyze:
		return mysqlExplain(s, end, false)
	}
	return writes
}

// shownBySession are what SHOW shows of the session's own past.
var shownBySession = []string{"warnings", "errors", "count", "profile", "profiles", "user_variables"}

func mysqlShow(s *scanner, i int) int {
	if i = s.skip(i); i == writes {
		return writes
	}
	end := s.wordEnd(i)
	if end == i {
		return writes
	}
	first := s.q[i:end]
	for _, shown := range shownBySession {
		if equalFold(first, shown) {
			return writes
		}
	}
	next := s.skip(end)
	if next == writes {
		return writes
	}
	if shownLocally(first, s.q[next:s.wordEnd(next)]) {
		s.local = true
	}
	return end
}

// mysqlExplain passes the options before the verb. Without a verb it is DESCRIBE t, if table says that one may follow;
// after ANALYZE it may not, since that is maintenance.
// A statement that writes is refused by a reader even when it is only explained.
func mysqlExplain(s *scanner, i int, table bool) int {
	for {
		if i = s.skip(i); i == writes {
			return writes
		}
		end := s.wordEnd(i)
		switch text := s.q[i:end]; {
		case equalFold(text, "extended"), equalFold(text, "partitions"), equalFold(text, "analyze"):
			i = end
		case equalFold(text, "format"):
			if i = mysqlFormat(s, end); i == writes {
				return writes
			}
		default:
			return mysqlExplained(s, i, table)
		}
	}
}

// mysqlFormat passes = and the name of a format.
func mysqlFormat(s *scanner, i int) int {
	if i = s.skip(i); i == writes || s.at(i) != '=' {
		return writes
	}
	return s.name(i + 1)
}

func mysqlExplained(s *scanner, i int, table bool) int {
	if s.at(i) == '(' {
		return s.mainVerb(i)
	}
	switch k := s.keyword(i); {
	case k == kwSelect, k == kwValues, k == kwWith, k == kwTable && table:
		return s.mainVerb(i)
	}
	if !table || s.wordIs(i, "for") {
		return writes
	}
	if i = s.name(i); i == writes {
		return writes
	}
	if s.at(i) == '.' {
		if i = s.name(i + 1); i == writes {
			return writes
		}
	}
	if i < len(s.q) && s.q[i] != ';' { // a column or a pattern
		if i = s.name(i); i == writes {
			return writes
		}
	}
	if i < len(s.q) && s.q[i] != ';' {
		return writes
	}
	return i
}

func mysqlRule(s *scanner, a action, i, end int) int {
	if a == sequence {
		if b := s.before(i); b > 0 && s.q[b-1] == '.' || s.called(end) {
			return writes
		}
		return end
	}
	if s.qualified(i) {
		return end
	}
	next := s.skip(end)
	if next == writes {
		return writes
	}
	switch a {
	case insert: // or the function of that name
		if s.at(next) == '(' {
			return end
		}
	case lockIn:
		if !s.wordIs(next, "in") {
			return end
		}
	case valueFor:
		if !s.wordIs(next, "for") {
			return end
		}
	}
	return writes // reserved words
}

// variable passes a system variable. One of the user's is a session's state.
func (s *scanner) variable(i int) int {
	if s.at(i+1) != '@' {
		if s.show && i > 0 && (isNameByte(s.q[i-1]) || s.lang.class[s.q[i-1]] == escaped || s.q[i-1] == '`') {
			return i + 1 // user@host
		}
		return writes
	}
	start := i + 2
	end := s.wordEnd(start)
	for s.at(end) == '.' && end > start {
		start = end + 1
		end = s.wordEnd(start)
	}
	if end == start || isBlank(s.at(end)) && s.skip(end) != writes && s.at(s.skip(end)) == '.' {
		return writes
	}
	for _, v := range sessionVariables {
		if equalFold(s.q[start:end], v) {
			return writes
		}
	}
	for _, v := range localVariables {
		if equalFold(s.q[start:end], v) {
			s.local = true
		}
	}
	return end
}
