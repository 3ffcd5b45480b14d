package observe

// An operation is the first word of a statement.
type operation uint8

const (
	otherOperation operation = iota
	opSelect
	opInsert
	opUpdate
	opDelete
	opMerge
	opReplace
	opWith
	opValues
	opTable
	opBegin
	opCommit
	opRollbackTo
	opRollback
	opSavepoint
	opRelease
	opCreate
	opDrop
	opAlter
	opTruncate
	opExplain
	opShow
	opSet
	opCall
	opDo
	opLock
	opCopy
	opPragma
	opListen
	opNotify
	opAnalyze
	operations // how many there are
)

var operationNames = [operations]string{
	"_OTHER", "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "WITH", "VALUES", "TABLE", "BEGIN", "COMMIT", "ROLLBACK TO", "ROLLBACK", "SAVEPOINT",
	"RELEASE", "CREATE", "DROP", "ALTER", "TRUNCATE", "EXPLAIN", "SHOW", "SET", "CALL", "DO", "LOCK", "COPY", "PRAGMA", "LISTEN", "NOTIFY",
	"ANALYZE",
}

func (op operation) String() string { return operationNames[op] }

// operationOf reads the first word of a statement. One that it does not know is no name of a metric's series: there would be as many as
// texts. A comment or a parenthesis before it makes it unknown.
func operationOf(query string) operation {
	start := 0
	for start < len(query) && (query[start] == ' ' || query[start] == '\n' || query[start] == '\t' || query[start] == '\r') {
		start++
	}
	word := query[start:]
	for op := opSelect; op < operations; op++ {
		if hasWord(word, operationNames[op]) {
			return op
		}
	}
	return otherOperation
}

// hasWord reports whether text begins with an upper-case word, in whatever case.
func hasWord(text, word string) bool {
	if len(text) < len(word) {
		return false
	}
	for i := range len(word) {
		c := text[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return len(text) == len(word) || !isWord(text[len(word)])
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
