package sqlkind

import "github.com/uptrace/bun/dialect"

// Kind says where a statement may run. Its zero value is Write: what is unknown is a write.
type Kind uint8

const (
	// Write needs the writer, or may need it, or belongs to a session there, or tells about the writer.
	Write Kind = iota
	// Read is known to be harmless on a reader, and is answered there as on the writer.
	Read
)

// String returns "write" or "read".
func (k Kind) String() string {
	if k == Read {
		return "read"
	}
	return "write"
}

// Of says whether a reader may run query, one or more statements in the dialect d. Only PostgreSQL,
// MySQL (which is MariaDB too) and SQLite are understood: everything is a Write elsewhere.
//
// Of is safe for concurrent use and allocates nothing. An application with functions of its own
// that write tells a [Classifier] about them.
func Of(d dialect.Name, query string) Kind {
	l := languageOf(d)
	if l == nil {
		return Write
	}
	s := scanner{q: query, lang: l, words: &l.words}
	return s.anywhere(s.kind())
}

// anywhere is kind, but for a read that each server answers for itself: a Write.
func (s *scanner) anywhere(kind Kind) Kind {
	if s.local {
		return Write
	}
	return kind
}

func languageOf(d dialect.Name) *language {
	switch d {
	case dialect.PG:
		return postgres
	case dialect.MySQL:
		return mysql
	case dialect.SQLite:
		return sqlite
	}
	return nil
}
