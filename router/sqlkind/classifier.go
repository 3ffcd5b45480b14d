package sqlkind

import (
	"errors"

	"github.com/uptrace/bun/dialect"
)

// A Classifier is [Of] for one dialect and the user's own functions that write. Its zero value
// knows no dialect and calls everything a Write. It is safe for concurrent use.
type Classifier struct {
	lang  *language
	words *words
	known beginnings
}

// New returns a Classifier for the dialect d, in which calls of the functions that writerFunctions
// name are writes beside those that [Of] knows.
//
// A name is a glob: * stands for any run of characters, ? for any one. "charge_*" means such a
// function in any schema; "billing.charge_*" means one in the schema billing, and also a call that
// names no schema, since the search path may lead there. On PostgreSQL a name without wildcards also counts after a
// dot, since row.name calls name(row); what a glob matches counts there only after a parenthesis, an element or a
// parameter, since elsewhere it may be a column. Case does not matter. A malformed glob is a [*GlobError]; all of them
// are reported together.
//
// What a function does inside is unknown to its caller: one that writes and is not named here is
// taken for a read. The server of a reader then refuses it.
func New(d dialect.Name, writerFunctions ...string) (*Classifier, error) {
	globs := make([]glob, 0, len(writerFunctions))
	var errs []error
	for _, pattern := range writerFunctions {
		g, err := parseGlob(pattern)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		globs = append(globs, g)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	l := languageOf(d)
	if l == nil {
		return &Classifier{}, nil
	}
	if len(globs) == 0 {
		return &Classifier{lang: l, words: &l.words}, nil
	}
	return &Classifier{lang: l, words: l.words.with(globs)}, nil
}

// Of says whether a reader may run query, one or more statements. It allocates nothing, but for a few hundred
// bytes where a SELECT begins as none did before: it remembers that, values left out, to read the next one faster.
func (c *Classifier) Of(query string) Kind {
	kind, local := c.Classify(query)
	if local {
		return Write
	}
	return kind
}

// Classify is Of, but tells two kinds of reads apart. A query is local if it harms no server, but is answered by
// each one for itself: by pg_stat_activity, SHOW PROCESSLIST or the state of a sequence. Its kind is Read. It is meant
// for the writer, which is why Of calls it a Write, unless somebody asks a certain reader for its own state.
func (c *Classifier) Classify(query string) (kind Kind, local bool) {
	if c == nil || c.lang == nil {
		return Write, false
	}
	if len(query) >= toldApart && query[0]|0x20 != 's' && writesAtOnce(query) {
		return Write, false
	}
	known := c.known.find(query)
	if known != nil && c.lang.endsPlainly(query[len(known.text):], known.depth) {
		return Read, false
	}
	return c.scan(query, known)
}

// scan is Classify for what must be read, but for what is known of it.
func (c *Classifier) scan(query string, known *beginning) (kind Kind, local bool) {
	s := scanner{q: query, lang: c.lang, words: c.words}
	if known != nil {
		s.depth, s.mark = known.depth, known.mark
		kind = s.resume(len(known.text))
	} else {
		kind = s.kind()
		c.known.learn(query, c.lang, c.words)
	}
	return kind, s.local && kind == Read
}
