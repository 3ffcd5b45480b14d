package sqlkind

// EndsWithTx says whether query, one or more statements, may run in a read-only transaction on a reader: all that each of them
// does beside reading ends with the transaction. Of PostgreSQL these are SET LOCAL and SET TRANSACTION, but nothing that would let
// the transaction write; set_config with a setting's plain name and a literal true; DECLARE of a cursor without hold, FETCH, MOVE
// and CLOSE of one by its name. Row-level security needs the first two (manual, sections 5.9 and 9.28.1).
//
// MySQL, MariaDB and SQLite have nothing of the kind: SET LOCAL is the session's there, SET TRANSACTION is the next one's,
// and cursors belong to procedures. A query that [Classifier.Classify] calls a Read is one here, too. What is not known to end is
// not said to. It is safe for concurrent use and allocates nothing.
func (c *Classifier) EndsWithTx(query string) bool {
	if c == nil || c.lang == nil {
		return false
	}
	s := scanner{q: query, lang: c.lang, words: c.words, inTx: c.lang == postgres}
	return s.kind() == Read
}

// lifting are the settings by which a transaction that began as read-only could write.
var lifting = [...]string{"transaction_read_only", "default_transaction_read_only"}

func lifts(setting string) bool {
	for _, name := range lifting {
		if equalFold(setting, name) {
			return true
		}
	}
	return false
}

// transactional passes what heads the statement at i, whose first word ends at end, if that is one that acts within a
// transaction. Others are none of its business.
func (s *scanner) transactional(verb keyword, i, end int) int {
	switch text := s.q[i:end]; {
	case equalFold(text, "set"):
		return s.setLocal(end)
	case equalFold(text, "declare"):
		return s.declare(end)
	case equalFold(text, "fetch"), equalFold(text, "move"):
		return s.fetch(end)
	case equalFold(text, "close"):
		return s.closeCursor(end)
	}
	return s.head(verb, end)
}

// setLocal passes SET LOCAL up to the setting's name, and SET [LOCAL] TRANSACTION.
func (s *scanner) setLocal(i int) int {
	if i = s.skip(i); i == writes {
		return writes
	}
	isLocal := s.wordIs(i, "local")
	if isLocal {
		if i = s.skip(s.wordEnd(i)); i == writes {
			return writes
		}
	}
	if s.mayLift(i) {
		return writes
	}
	if s.wordIs(i, "transaction") {
		return s.wordEnd(i)
	}
	if !isLocal || s.encoded(i) {
		return writes
	}
	end := s.wordEnd(i)
	setting := s.q[i:end]
	if end == i {
		if s.at(i) != '"' {
			return writes
		}
		if end = closeQuote(s.q, i); end == writes {
			return writes
		}
		setting = s.q[i+1 : end-1]
	}
	if lifts(setting) {
		return writes
	}
	return end
}

// mayLift tells whether the SET whose rest begins at i holds a word of READ WRITE or of SESSION CHARACTERISTICS.
func (s *scanner) mayLift(i int) bool {
	for i < len(s.q) && s.q[i] != ';' {
		switch c := s.lang.class[s.q[i]]; c {
		case letter:
			if s.wordIs(i, "write") || s.wordIs(i, "characteristics") {
				return true
			}
			i = s.wordEnd(i)
		case name:
			i = closeQuote(s.q, i)
		case digit, blank:
			i++
		case opening, closing:
			return true // no SET has them
		default:
			i = s.special(i, c)
		}
		if i == writes {
			return true
		}
	}
	return false
}

// declare passes DECLARE name [options] CURSOR [WITHOUT HOLD] FOR and the verb of the query.
func (s *scanner) declare(i int) int {
	i = s.name(i)
	for _, option := range [...]string{"binary", "insensitive", "asensitive", "no", "scroll", "insensitive", "asensitive"} {
		if i != writes && s.wordIs(i, option) {
			i = s.skip(s.wordEnd(i))
		}
	}
	i = s.after(i, "cursor")
	if i != writes && s.wordIs(i, "without") {
		i = s.after(s.after(i, "without"), "hold")
	}
	if i = s.after(i, "for"); i == writes {
		return writes
	}
	return s.mainVerb(i)
}

// after passes the word at i, which must be this one, and the white space after it.
func (s *scanner) after(i int, word string) int {
	if i == writes || !s.wordIs(i, word) {
		return writes
	}
	return s.skip(s.wordEnd(i))
}

// fetch passes FETCH or MOVE as a whole: words, numbers and names.
func (s *scanner) fetch(i int) int {
	for words := 0; ; words++ {
		if i = s.skip(i); i == writes {
			return writes
		}
		if i == len(s.q) || s.q[i] == ';' {
			if words == 0 {
				return writes
			}
			return i
		}
		switch s.lang.class[s.q[i]] {
		case letter:
			if s.encoded(i) {
				return writes
			}
			i = s.wordEnd(i)
		case digit:
			for i < len(s.q) && s.lang.class[s.q[i]] == digit {
				i++
			}
		case name:
			i = closeQuote(s.q, i)
		case dash:
			i++
		default:
			return writes
		}
		if i == writes {
			return writes
		}
	}
}

// closeCursor passes CLOSE of one cursor: ALL are also those that a session holds beyond transactions.
func (s *scanner) closeCursor(i int) int {
	if i = s.skip(i); i == writes || s.wordIs(i, "all") || s.encoded(i) {
		return writes
	}
	if i = s.name(i); i == writes || i < len(s.q) && s.q[i] != ';' {
		return writes
	}
	return i
}

// setsLocally tells whether the call of set_config whose parenthesis opens at i lasts as long as the transaction, and lets that
// write nothing: ('a setting', anything, true).
func (s *scanner) setsLocally(i int) bool {
	if s.dotted(s.mark) {
		return false
	}
	if i = s.skip(i + 1); i == writes || s.at(i) != '\'' {
		return false
	}
	end := closeQuote(s.q, i)
	if end == writes || lifts(s.q[i+1:end-1]) {
		return false
	}
	for at := i + 1; at < end-1; at++ {
		if c := s.q[at]; !isNameByte(c) && c != '.' {
			return false
		}
	}
	if i = s.skip(end); i == writes || s.at(i) != ',' {
		return false
	}
	for depth := 0; ; {
		if i = s.skip(i + 1); i == writes || i == len(s.q) || s.q[i] == ';' {
			return false
		}
		if s.q[i] == ',' && depth == 0 {
			break
		}
		switch c := s.lang.class[s.q[i]]; c {
		case opening:
			depth++
		case closing:
			if depth--; depth < 0 {
				return false
			}
		case letter:
			i = s.wordEnd(i) - 1
		case name:
			if i = closeQuote(s.q, i); i == writes {
				return false
			}
			i--
		case digit, blank, dash, slash, hash:
		default:
			if i = s.special(i, c); i == writes {
				return false
			}
			i--
		}
	}
	if i = s.skip(i + 1); i == writes || !s.wordIs(i, "true") {
		return false
	}
	i = s.skip(s.wordEnd(i))
	return i != writes && s.at(i) == ')'
}
