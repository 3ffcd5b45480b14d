package sqlkind

// keyword is a word that heads a statement, or guides through what heads one.
type keyword uint8

const (
	kwOther keyword = iota // a word, but none of these
	kwNone                 // no word
	kwSelect
	kwValues
	kwTable
	kwWith
	kwInsert
	kwUpdate
	kwDelete
	kwMerge
	kwReplace
	kwShow
	kwExplain
	kwDescribe
	kwAnalyze
	kwPragma
	kwSearch
	kwCycle
)

// keyword reads the unquoted word at i.
func (s *scanner) keyword(i int) keyword {
	end := s.wordEnd(i)
	if end == i {
		return kwNone
	}
	return keywordOf(s.q[i:end])
}

func keywordOf(text string) keyword {
	for _, k := range keywordsBySize[min(len(text), len(keywordsBySize)-1)] {
		if equalFold(text, k.text) {
			return k.keyword
		}
	}
	return kwOther
}

type spelling struct {
	text string
	keyword
}

var keywordsBySize = [9][]spelling{
	4: {{"with", kwWith}, {"show", kwShow}, {"desc", kwDescribe}},
	5: {{"table", kwTable}, {"merge", kwMerge}, {"cycle", kwCycle}},
	6: {{"select", kwSelect}, {"values", kwValues}, {"insert", kwInsert}, {"update", kwUpdate}, {"delete", kwDelete}, {"pragma", kwPragma}, {"search", kwSearch}},
	7: {{"explain", kwExplain}, {"replace", kwReplace}, {"analyze", kwAnalyze}, {"analyse", kwAnalyze}},
	8: {{"describe", kwDescribe}},
}

// wordEnd returns the end of the unquoted word at i, or i.
func (s *scanner) wordEnd(i int) int {
	q, classes := s.q, &s.lang.class
	if i >= len(q) || classes[q[i]] != letter && classes[q[i]] != foreign {
		return i
	}
	for i < len(q) && classes[q[i]] <= foreign {
		i++
	}
	return i
}

// asciiEnd is wordEnd, but stops before a byte beyond ASCII of MySQL's.
func (s *scanner) asciiEnd(i int) int {
	for i < len(s.q) && s.lang.class[s.q[i]] <= dollar {
		i++
	}
	return i
}

// wordIs tells whether the unquoted word at i is want, in lower case.
func (s *scanner) wordIs(i int, want string) bool {
	return equalFold(s.q[i:s.wordEnd(i)], want)
}

// The commonest verbs as eight reads them.
const (
	selectWord = 's' | 'e'<<8 | 'l'<<16 | 'e'<<24 | 'c'<<32 | 't'<<40
	insertWord = 'i' | 'n'<<8 | 's'<<16 | 'e'<<24 | 'r'<<32 | 't'<<40
	updateWord = 'u' | 'p'<<8 | 'd'<<16 | 'a'<<24 | 't'<<32 | 'e'<<40
	deleteWord = 'd' | 'e'<<8 | 'l'<<16 | 'e'<<24 | 't'<<32 | 'e'<<40
)

// firstVerb returns the six letters that q begins with, in lower case and as eight reads them, if a space
// follows; else zero.
func firstVerb(q string) uint64 {
	if len(q) < 8 || q[6] != ' ' {
		return 0
	}
	return (eight(q) | 0x20*ones) & (1<<48 - 1)
}

// writesAtOnce says that q begins with the commonest of the verbs that write: nothing behind changes that.
func writesAtOnce(q string) bool {
	switch firstVerb(q) {
	case insertWord, updateWord, deleteWord:
		return true
	}
	return false
}

// statement passes what heads the statement at i. It is writes unless the statement may be a read.
func (s *scanner) statement(i int) int {
	switch firstVerb(s.q[i:]) {
	case selectWord:
		return i + 6
	case insertWord, updateWord, deleteWord:
		return writes
	}
	if s.q[i] == '(' {
		return s.parenthesised(i)
	}
	end := s.wordEnd(i)
	switch k := keywordOf(s.q[i:end]); k {
	case kwSelect, kwValues:
		return end
	case kwTable:
		if s.lang.noTable {
			return writes
		}
		return end
	case kwWith:
		return s.with(end)
	default:
		if s.inTx {
			return s.transactional(k, i, end)
		}
		return s.head(k, end)
	}
}

// parenthesised passes the parentheses before a SELECT and the like.
func (s *scanner) parenthesised(i int) int {
	for i < len(s.q) && s.q[i] == '(' {
		s.depth++
		if i = s.skip(i + 1); i == writes {
			return writes
		}
	}
	return s.mainVerb(i)
}

// mainVerb passes the verb of a query, perhaps in parentheses. In an EXPLAIN that executes nothing
// the verb may be one that writes.
func (s *scanner) mainVerb(i int) int {
	if i < len(s.q) && s.q[i] == '(' {
		return s.parenthesised(i)
	}
	end := s.wordEnd(i)
	switch keywordOf(s.q[i:end]) {
	case kwSelect, kwValues:
		return end
	case kwTable:
		if s.lang.noTable {
			return writes
		}
		return end
	case kwWith:
		return s.with(end)
	case kwInsert, kwUpdate, kwDelete, kwMerge, kwReplace:
		if s.explain {
			return end
		}
	}
	return writes
}

// with passes the head of a WITH list up to the verb of the first CTE.
func (s *scanner) with(i int) int {
	if i = s.skip(i); i == writes || s.lists == maxLists {
		return writes
	}
	s.bases[s.lists] = int32(s.depth) // a text has no more parentheses than that
	s.lists++
	if s.wordIs(i, "recursive") {
		next := s.skip(s.wordEnd(i))
		if next == writes {
			return writes
		}
		if !s.wordIs(next, "as") && s.at(next) != '(' {
			i = next
		}
	}
	return s.cte(i)
}

// cte passes name [(columns)] AS [[NOT] MATERIALIZED] ( and the verb that follows.
func (s *scanner) cte(i int) int {
	if i = s.name(i); i == writes {
		return writes
	}
	if s.at(i) == '(' {
		if i = s.columns(i + 1); i == writes {
			return writes
		}
	}
	if !s.wordIs(i, "as") {
		return writes
	}
	i = s.skip(s.wordEnd(i))
	for _, option := range [...]string{"not", "materialized"} {
		if i != writes && s.wordIs(i, option) {
			i = s.skip(s.wordEnd(i))
		}
	}
	if i == writes || s.at(i) != '(' {
		return writes
	}
	s.depth++
	if i = s.skip(i + 1); i == writes {
		return writes
	}
	return s.mainVerb(i)
}

// name passes a name, quoted or not, and the white space about it.
func (s *scanner) name(i int) int {
	if i = s.skip(i); i == writes || i == len(s.q) {
		return writes
	}
	end := writes
	switch s.lang.class[s.q[i]] {
	case letter, foreign:
		end = s.wordEnd(i)
	case digit:
		for end = i + 1; end < len(s.q) && s.lang.class[s.q[end]] == digit; end++ {
		}
		end = s.number(i, end)
	case name, text:
		end = closeQuote(s.q, i)
	case escaped:
		end = s.escapedText(i)
	case bracket:
		end = s.bracketed(i)
	}
	if end == writes {
		return writes
	}
	return s.skip(end)
}

// columns passes a list of names and its closing parenthesis.
func (s *scanner) columns(i int) int {
	for {
		if i = s.name(i); i == writes {
			return writes
		}
		switch s.at(i) {
		case ',':
			i++
		case ')':
			return s.skip(i + 1)
		default:
			return writes
		}
	}
}

// at returns the byte at i, or 0 at the end.
func (s *scanner) at(i int) byte {
	if i < len(s.q) {
		return s.q[i]
	}
	return 0
}
