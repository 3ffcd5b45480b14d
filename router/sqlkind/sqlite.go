package sqlkind

import "github.com/uptrace/bun/dialect"

// sqlite lexes as SQLite does.
var sqlite = &language{
	dialect:    dialect.SQLite,
	own:        ownOfSQLite,
	session:    newSessionTable(sqliteSession),
	class:      sqliteClasses(),
	words:      newWords(false, sqliteKeywords, sqliteFunctions),
	textIsName: true,
	noTable:    true,
}

func sqliteClasses() [256]class {
	c := ordinary()
	c['?'] = blank
	c['`'], c['['] = name, bracket
	c['$'], c['@'], c[':'] = dollar, param, param
	return c
}

var sqliteKeywords = map[string]action{
	"for":             forLock,
	"with":            list,
	"insert":          insert,
	"update":          update,
	"delete":          remove,
	"pragma_optimize": module, // may run ANALYZE, and is a table as well
}

// sqliteHead knows EXPLAIN and the PRAGMAs that only read.
func sqliteHead(s *scanner, verb keyword, end int) int {
	switch verb {
	case kwExplain:
		return sqliteExplain(s, end)
	case kwPragma:
		return sqlitePragma(s, end)
	}
	return writes
}

// sqliteExplain passes EXPLAIN [QUERY PLAN] and the verb: nothing is executed. Not every PRAGMA waits to
// be executed, though.
func sqliteExplain(s *scanner, i int) int {
	if i = s.skip(i); i == writes {
		return writes
	}
	if s.wordIs(i, "query") {
		if i = s.skip(s.wordEnd(i)); i == writes || !s.wordIs(i, "plan") {
			return writes
		}
		if i = s.skip(s.wordEnd(i)); i == writes {
			return writes
		}
	}
	s.explain = true
	return s.mainVerb(i)
}

// pragmas are those that only read, and how.
type pragmas struct {
	reason string
	bare   bool // PRAGMA name
	called bool // PRAGMA name(argument), PRAGMA name = argument
	names  []string
}

var sqlitePragmas = []pragmas{
	{
		reason: "they describe what their argument names, or everything",
		bare:   true, called: true,
		names: []string{
			"foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check",
			"quick_check", "table_info", "table_list", "table_xinfo",
		},
	},
	{
		reason: "a setting, which an argument would change",
		bare:   true,
		names: []string{
			"analysis_limit", "application_id", "auto_vacuum", "automatic_index", "busy_timeout", "cache_size",
			"cache_spill", "cell_size_check", "checkpoint_fullfsync", "defer_foreign_keys", "encoding",
			"foreign_keys", "freelist_count", "fullfsync", "hard_heap_limit", "ignore_check_constraints",
			"journal_mode", "journal_size_limit", "legacy_alter_table", "locking_mode", "max_page_count",
			"mmap_size", "page_count", "page_size", "query_only", "read_uncommitted", "recursive_triggers",
			"reverse_unordered_selects", "schema_version", "secure_delete", "soft_heap_limit", "synchronous",
			"temp_store", "threads", "trusted_schema", "user_version", "wal_autocheckpoint", "writable_schema",
		},
	},
	{
		reason: "lists of what the library has",
		bare:   true,
		names:  []string{"collation_list", "compile_options", "database_list", "function_list", "module_list", "pragma_list"},
	},
}

func pragmaOf(text string) (p pragmas) {
	for _, group := range sqlitePragmas {
		for _, n := range group.names {
			if equalFold(text, n) {
				return group
			}
		}
	}
	return pragmas{}
}

// sqlitePragma passes a PRAGMA that only reads, whole.
func sqlitePragma(s *scanner, i int) int {
	if i = s.skip(i); i == writes {
		return writes
	}
	start := i
	if i = s.name(i); i == writes {
		return writes
	}
	if s.at(i) == '.' {
		if start = s.skip(i + 1); start == writes {
			return writes
		}
		if i = s.name(start); i == writes {
			return writes
		}
	}
	p := pragmaOf(s.q[start:s.wordEnd(start)])
	switch {
	case i == len(s.q) || s.q[i] == ';':
		if !p.bare {
			return writes
		}
		return i
	case !p.called || s.q[i] != '(' && s.q[i] != '=':
		return writes
	}
	opened := s.q[i] == '('
	if i = s.name(i + 1); i == writes {
		return writes
	}
	if opened {
		if s.at(i) != ')' {
			return writes
		}
		if i = s.skip(i + 1); i == writes {
			return writes
		}
	}
	if i < len(s.q) && s.q[i] != ';' {
		return writes
	}
	return i
}

// sqliteRule knows reserved words: they are names nowhere.
func sqliteRule(s *scanner, _ action, _, end int) int {
	if s.explain {
		return end
	}
	return writes
}

// parameter passes a parameter with a name.
func (s *scanner) parameter(i int) int {
	end := i + 1
	for end < len(s.q) && s.lang.class[s.q[end]] <= dollar {
		end++
	}
	if end == i+1 || s.at(end) == '(' || s.at(end) == ':' {
		return writes // a Tcl variable, which may hold anything in parentheses
	}
	return end
}
