package sqlkind

import (
	"strings"

	"github.com/uptrace/bun/dialect"
)

// ChangesSession reports whether a statement may leave something behind in the session that runs it, so that whoever gets
// the connection next would have it: a setting, a role, a user's variable, a temporary table, a lock of the session, a
// prepared statement, a cursor that is held, a LISTEN, an attached database. What ends with the transaction leaves nothing:
// SET LOCAL, set_config(…, true), a table that is dropped at COMMIT. Query may be several statements; one that is not known
// is taken to leave something, and so is all in a dialect that is not known.
//
// It sees what the text says. What a function or a procedure does inside is not in the text: a call of one of the user's is
// taken to leave nothing.
//
// It is safe for concurrent use and allocates nothing. Where a statement begins with SELECT, WITH, INSERT, UPDATE or DELETE it
// looks no further than for what such a one may leave: that takes a few nanoseconds.
func ChangesSession(d dialect.Name, query string) bool {
	l := languageOf(d)
	if l == nil {
		return true
	}
	if l.leavesNothing(query) {
		return false
	}
	s := scanner{q: query, lang: l, words: &l.words}
	return s.changesSession()
}

// leavesNothing reports at a glance, as it can of most statements, that one leaves nothing behind.
func (l *language) leavesNothing(q string) bool {
	reads := false
	switch verb := firstVerb(q); {
	case verb == selectWord:
		reads = true
	case verb == insertWord, verb == deleteWord:
	case verb == updateWord:
		if l.dialect == dialect.PG && mayBeSettings(q[len("UPDATE "):]) {
			return false
		}
	case len(q) > 5 && q[4] == ' ' && equalFold(q[:4], "with"):
		reads = true
	default:
		return false
	}
	if strings.IndexByte(q, ';') >= 0 || l.mayCallForSession(q) {
		return false
	}
	switch l.dialect {
	case dialect.MySQL:
		return !mayAssign(q, reads)
	case dialect.PG:
		return !reads || !holdsInto(q)
	}
	return true
}

// mayBeSettings tells of what follows UPDATE whether it may be pg_settings, which is another way to say SET.
func mayBeSettings(q string) bool {
	if q != "" && q[0] == '"' {
		q = q[1:]
	}
	return len(q) < 3 || equalFold(q[:3], "pg_") || equalFold(q[:3], "onl") || q[0] <= ' ' || q[0] == '/' || q[0] == '-'
}

// mayCallForSession tells whether a parenthesis may follow the name of one of the functions that leave something.
func (l *language) mayCallForSession(q string) bool {
	for end := strings.IndexByte(q, '('); end >= 0; {
		if at := end - 1; at > 0 {
			if q[at] == ' ' {
				at--
			}
			if at > 0 && l.session.mayEnd(q[at-1], q[at]) && l.callBefore(q, at+1) {
				return true
			}
		}
		n := strings.IndexByte(q[end+1:], '(')
		if n < 0 {
			return false
		}
		end += n + 1
	}
	return false
}

// callBefore tells whether the name of such a function may end before end, in quotes or not.
func (l *language) callBefore(q string, end int) bool {
	for end > 0 && q[end-1] == ' ' {
		end--
	}
	if end == 0 {
		return false
	}
	switch c := q[end-1]; {
	case isNameByte(c):
	case c == '"', c == '`', c == ']':
		end--
	case c == '/', c < ' ':
		return true // a comment may stand between
	default:
		return false
	}
	start := end
	for start > 0 && isNameByte(q[start-1]) {
		start--
	}
	return l.callsForSession(q[start:end])
}

// mayAssign tells whether a statement of MySQL's may set a variable of the user's: by := or, if it reads, INTO @name.
func mayAssign(q string, reads bool) bool {
	for from := 0; reads; {
		n := strings.IndexByte(q[from:], '@')
		if n < 0 {
			break
		}
		i := from + n
		from = i + 1
		switch {
		case i > 0 && isNameByte(q[i-1]): // an address
		case i+1 < len(q) && q[i+1] == '@':
			from++
		default:
			return true
		}
	}
	for from := 0; ; {
		n := strings.IndexByte(q[from:], ':')
		if n < 0 {
			return false
		}
		from += n + 1
		if from < len(q) && q[from] == '=' {
			return true
		}
	}
}

// holdsInto tells whether the letters of INTO stand somewhere: eight places are looked at at once.
func holdsInto(q string) bool {
	const ns, ts = 'n' * ones, 't' * ones
	i := uint(1)
	for ; i+9 <= uint(len(q)); i += 8 {
		pair := eight(q[i:i+8]) ^ ns | eight(q[i+1:i+9]) ^ ts
		if zeros(pair&^(0x20*ones)) != 0 && isInto(q, int(i), int(i)+8) {
			return true
		}
	}
	return isInto(q, int(i), len(q))
}

// isInto looks for INTO whose second letter is one of the bytes from i to end.
func isInto(q string, i, end int) bool {
	for ; i < end && i+3 <= len(q); i++ {
		if q[i]|0x20 == 'n' && equalFold(q[i-1:i+3], "into") {
			return true
		}
	}
	return false
}

// changesSession reads the statements one after another.
func (s *scanner) changesSession() bool {
	for i := 0; ; {
		if i = s.skip(i); i == writes {
			return true
		}
		if i == len(s.q) {
			return false
		}
		if s.q[i] == ';' {
			i++
			continue
		}
		st := sessionStatement{s: s}
		if i = st.read(i); i == writes || st.calls || st.changes() {
			return true
		}
	}
}
