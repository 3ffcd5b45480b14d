package mysqlbind

import "strings"

// A verdict says what a statement may do to the belt of a reader's session.
type verdict uint8

const (
	harmless verdict = iota // it leaves the belt alone; the server judges the rest
	doubt                   // it may change the session: the connection serves its user, then closes
	refuse                  // it takes the belt off, or gets past it
)

// judge reads a statement as far as it must: of what begins with SELECT, one word. What names
// the statement in the refusal's error.
//
// The belt stops accidents. Who sets out to get past it, by a stored procedure that begins a
// writing transaction, say, is stopped by an account without write privileges.
func judge(query string) (what string, v verdict) {
	if strings.HasPrefix(query, "SELECT ") { // as Bun writes it
		return "", harmless
	}
	l := lexer{text: query}
	return judgeFrom(&l)
}

func judgeFrom(l *lexer) (what string, v verdict) {
	first := l.word()
	switch len(first) {
	case 4:
		if is(first, "SHOW") || is(first, "WITH") || is(first, "DESC") {
			return "", harmless
		}
	case 5:
		switch {
		case is(first, "TABLE"):
			return "", harmless
		case is(first, "FLUSH"):
			// The server obeys, and writes it to its binary log under a GTID of its own: with
			// gtid_strict_mode replication stops at the next event.
			return "FLUSH", refuse
		case is(first, "START"), is(first, "BEGIN"):
			return judgeStart(l)
		}
	case 6:
		if is(first, "SELECT") || is(first, "INSERT") || is(first, "UPDATE") ||
			is(first, "DELETE") || is(first, "VALUES") {
			return "", harmless
		}
		if is(first, "COMMIT") {
			return "", judgeEnd(l)
		}
	case 7:
		switch {
		case is(first, "EXPLAIN"), is(first, "REPLACE"), is(first, "RELEASE"):
			return "", harmless
		case is(first, "ANALYZE"):
			return judgeAnalyze(l)
		}
	case 8:
		switch {
		case is(first, "DESCRIBE"):
			return "", harmless
		case is(first, "ROLLBACK"):
			return "", judgeEnd(l)
		}
	case 9:
		if is(first, "SAVEPOINT") {
			return "", harmless
		}
	}
	if disarms(l.text) {
		return "a statement that makes transactions READ WRITE", refuse
	}
	if is(first, "SET") {
		return judgeSet(l)
	}
	return "", doubt
}

// judgeStart: a transaction begun by its text may be left open, and whoever got the connection next
// would read from its old snapshot.
func judgeStart(l *lexer) (what string, v verdict) {
	if disarms(l.text) {
		return "START TRANSACTION READ WRITE", refuse
	}
	return "", doubt
}

// judgeEnd: AND CHAIN begins the next transaction.
func judgeEnd(l *lexer) verdict {
	for w := l.word(); w != ""; w = l.word() {
		if is(w, "CHAIN") {
			return doubt
		}
	}
	return harmless
}

// judgeAnalyze tells ANALYZE of a query, which reads, from ANALYZE TABLE, which the belt lets pass
// although it writes: statistics, and to the binary log.
func judgeAnalyze(l *lexer) (what string, v verdict) {
	second := l.word()
	for _, w := range []string{"TABLE", "TABLES", "LOCAL", "NO_WRITE_TO_BINLOG"} {
		if is(second, w) {
			return "ANALYZE TABLE", refuse
		}
	}
	return "", harmless
}

// judgeSet looks at the statement inside MariaDB's SET STATEMENT … FOR, which leaves the session as it
// was.
func judgeSet(l *lexer) (what string, v verdict) {
	if !is(l.word(), "STATEMENT") {
		return "", doubt
	}
	for w := l.word(); w != ""; w = l.word() {
		if is(w, "FOR") {
			return judgeFrom(l)
		}
	}
	return "", doubt
}

// disarms reports whether text holds, anywhere and in quotes too, READ WRITE or one of the variables
// that stand for it.
func disarms(text string) bool {
	l := lexer{text: text}
	read := false
	for {
		w, quoted := l.next()
		switch {
		case w == "" && !quoted:
			return false
		case quoted:
			if disarms(w) {
				return true
			}
			read = false
			continue
		case read && is(w, "WRITE"), is(w, "tx_read_only"), is(w, "transaction_read_only"):
			return true
		}
		read = is(w, "READ")
	}
}

func is(word, keyword string) bool { return strings.EqualFold(word, keyword) }
