package models

import (
	"strings"

	"github.com/uptrace/bun/dialect"
)

// Like holds where a text column matches the pattern: % is any text, _ any character, and a backslash
// makes the next character an ordinary one, on all databases alike. Whether case counts is the
// database's choice: it does on PostgreSQL, not on SQLite for ASCII letters, and on MySQL the
// column's collation says.
//
// Use [Contains], [HasPrefix] and [HasSuffix] for a user's text, or [EscapeLike].
func Like(column, pattern string) Condition {
	return on(column, func(r *renderer, c *filterColumn) (clause, error) {
		return r.like(c, pattern)
	})
}

// Contains holds where the text is part of the column's, as [Like] compares.
func Contains(column, text string) Condition { return Like(column, "%"+EscapeLike(text)+"%") }

// HasPrefix holds where the column's text begins with the text, as [Like] compares.
func HasPrefix(column, text string) Condition { return Like(column, EscapeLike(text)+"%") }

// HasSuffix holds where the column's text ends in the text, as [Like] compares.
func HasSuffix(column, text string) Condition { return Like(column, "%"+EscapeLike(text)) }

// EscapeLike makes a pattern for [Like] that matches the text and nothing else.
func EscapeLike(text string) string {
	return likeEscapes.Replace(text)
}

var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (r *renderer) like(c *filterColumn, pattern string) (clause, error) {
	if c.kind != kindText {
		return noRow, errNoText
	}
	backslashes := len(pattern) - len(strings.TrimRight(pattern, `\`))
	if backslashes%2 == 1 {
		return noRow, errPattern
	}
	literal, err := r.text(pattern)
	if err != nil {
		return noRow, err
	}
	like := clause(c.sql + " LIKE " + literal)
	if r.dialect == dialect.SQLite { // which has no escape unless told
		like += ` ESCAPE '\'`
	}
	return like, nil
}
