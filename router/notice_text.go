package router

import "strings"

// effect is what a statement may do.
type effect uint8

const (
	changesNothing effect = iota
	changesData           // for good where its transaction commits
	mayEndTx              // changes data and may end the transaction that it runs in
)

// inTxOnly are the first words of statements that cannot end a transaction. Every other may: MySQL
// commits before and after most that change the schema, a procedure may commit, and so does COMMIT.
var inTxOnly = [...]string{
	"INSERT", "UPDATE", "DELETE", "SELECT", "WITH", "SAVEPOINT", "RELEASE", "REPLACE", "MERGE", "VALUES",
}

// effectInTx tells the effect of a statement that is no plain read.
func effectInTx(query string) effect {
	word, rest := firstWord(query)
	for _, known := range inTxOnly {
		if strings.EqualFold(word, known) {
			return changesData
		}
	}
	if strings.EqualFold(word, "ROLLBACK") {
		if to, _ := firstWord(rest); strings.EqualFold(to, "TO") {
			return changesData
		}
	}
	if strings.EqualFold(word, "SET") && !mayCommit(rest) {
		return changesData
	}
	return mayEndTx
}

// mayCommit reports whether a SET with these settings may end a transaction: MySQL's autocommit and passwords do. Other
// statements may follow a semicolon.
func mayCommit(settings string) bool {
	settings = strings.ToLower(settings)
	return strings.Contains(settings, "autocommit") || strings.Contains(settings, "password") || strings.ContainsAny(settings, ";`/")
}

// schemaWords are the first words of statements that change what a table is called or made of.
var schemaWords = [...]string{"CREATE", "ALTER", "DROP", "RENAME"}

// changesSchema reports whether a replica that trails may not know yet what statements after this one name.
func changesSchema(query string) bool {
	word, _ := firstWord(query)
	for _, known := range schemaWords {
		if strings.EqualFold(word, known) {
			return true
		}
	}
	return false
}

// firstWord returns the first word after white space and comments, and what follows it. The word is
// empty if there is none, or if databases disagree about where a comment ends or whether it is one.
func firstWord(query string) (word, rest string) {
	query, ok := uncommented(query)
	if !ok {
		return "", ""
	}
	n := 0
	for n < len(query) && isWordByte(query[n]) {
		n++
	}
	return query[:n], query[n:]
}

func isWordByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// uncommented returns query without the white space and the comments that it begins with.
func uncommented(query string) (string, bool) {
	for {
		query = strings.TrimLeft(query, " \t\r\n\v\f")
		var ok bool
		switch {
		case strings.HasPrefix(query, "--"), strings.HasPrefix(query, "#"):
			query, ok = afterLine(query)
		case strings.HasPrefix(query, "/*"):
			query, ok = afterComment(query)
		default:
			return query, true
		}
		if !ok {
			return "", false
		}
	}
}

// afterLine passes a comment that ends with its line. A lone carriage return ends one in PostgreSQL.
func afterLine(query string) (string, bool) {
	n := strings.IndexAny(query, "\r\n")
	if n < 0 {
		return "", true
	}
	if query[n] == '\r' && !strings.HasPrefix(query[n:], "\r\n") {
		return "", false
	}
	return query[n:], true
}

// afterComment passes a comment in asterisks. Those of PostgreSQL nest, some of MySQL's are code.
func afterComment(query string) (string, bool) {
	body, rest, ok := strings.Cut(query[2:], "*/")
	if !ok || strings.Contains(body, "/*") || strings.HasPrefix(body, "!") || strings.HasPrefix(body, "M!") {
		return "", false
	}
	return rest, true
}
