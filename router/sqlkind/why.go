package sqlkind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun/dialect"
)

// maxWhy bounds how much of a text [Classifier.Why] looks at: it reads it once for each of its words.
const maxWhy = 20_000

// A Cause says what makes a query no plain read.
type Cause struct {
	// Word is the word that does it, as it stands in the text: "nextval", "UPDATE", "pg_stat_activity". "" if it is no single word.
	Word string `json:"word,omitempty"`
	// Reason says why it counts: "a sequence moves, or the session that moved it is asked".
	Reason string `json:"reason"`
}

// String returns the word and the reason: "nextval: a sequence moves, or the session that moved it is asked". It is "" for the zero Cause.
func (c Cause) String() string {
	if c.Word == "" {
		return c.Reason
	}
	return c.Word + ": " + c.Reason
}

// Why says what makes query no plain read, by [Classifier.Of]: a Write, or a read that each server answers for itself. It is the zero Cause for a
// plain read. Of several causes it tells the first. It finds it by asking what the text would be without a word, so that it shows what
// decides; where no single word does, it says so. It shows no values, as [Outline] does not.
//
// It is meant for people and costs a reading of the text for each of its words. It is safe for concurrent use.
func (c *Classifier) Why(query string) Cause {
	kind, local := c.Classify(query)
	switch {
	case kind == Read && !local:
		return Cause{}
	case c == nil || c.lang == nil:
		return Cause{Reason: "the dialect is not known, and all in it goes to the writer"}
	}
	if strings.Trim(query, " \t\r\n;") == "" {
		return Cause{Reason: "there is no statement"}
	}
	outline := Outline(c.lang.dialect, query, maxWhy)
	text, cut := strings.CutSuffix(outline, "…")
	p := phrase(text)
	if p.words == nil && cut {
		return Cause{Reason: "the text cannot be read safely: " + unreadable}
	}
	if p.words == nil {
		return Cause{Reason: "it begins with no word that is known to read"}
	}
	first := p.word(0)
	if !c.mayHead(first) {
		return Cause{first, notRead}
	}
	if at := c.firstCause(p, local); at >= 0 {
		if p.heads(at) {
			return Cause{p.word(at), notRead}
		}
		shown := p.shown(at)
		if shown[0] == '@' {
			return Cause{shown, "a variable of the session"}
		}
		return Cause{shown, c.reasonOf(p.word(at), local, p.before(at))}
	}
	if strings.EqualFold(first, "pragma") {
		return Cause{first, "it sets something, or is not known to only read"}
	}
	if strings.Count(text, "(") != strings.Count(text, ")") && !cut {
		return Cause{Reason: "its parentheses do not close"}
	}
	if cut {
		return Cause{Reason: "behind " + quotedTail(text) + " the text cannot be read safely: " + unreadable}
	}
	return Cause{Reason: "no single word decides: the text as a whole is not known to only read"}
}

const (
	notRead    = "a statement that begins so is not known to only read"
	unreadable = "a quote or a comment that does not end, code in a comment, or a byte or a number that no statement has"
)

// quotedTail is the end of what could be read.
func quotedTail(text string) string {
	const most = 30
	text = strings.TrimSpace(text)
	if len(text) > most {
		text = "…" + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return fmt.Sprintf("%q", text)
}

// mayHead reports whether a statement that begins with the word may be a read.
func (c *Classifier) mayHead(word string) bool {
	for _, rest := range [...]string{" 1", " x", " AS (SELECT 1) SELECT 1", " SELECT 1", " x AS (SELECT 1) SELECT 1", " TABLES", " table_info(x)"} {
		if kind, _ := c.scan(word+rest, nil); kind == Read {
			return true
		}
	}
	return false
}

// firstCause returns the first of the words without which, and without all that follow, the text would be what it is not. It is -1 if
// there is none.
func (c *Classifier) firstCause(p phrased, local bool) int {
	p.parts = slices.Clone(p.parts)
	if kind, told := c.scan(p.String(), nil); kind == Read && !told {
		return -1 // the cause is in what the outline leaves off
	}
	for at := len(p.words) - 1; at >= 0; at-- {
		if p.hide(at) {
			kind, stillLocal := c.scan(p.String(), nil)
			if kind == Read && (!local || !stillLocal) {
				return at
			}
		}
	}
	return -1
}

// reasonOf says why a word counts, which the word before precedes.
func (c *Classifier) reasonOf(word string, local bool, before string) string {
	name := strings.ToLower(strings.Trim(word, "\"`[]"))
	for i := range c.words.globs {
		if g := &c.words.globs[i]; g.users && globMatch(g.name, name) {
			return "it is named in writer_functions"
		}
	}
	for _, group := range c.lang.groups() {
		told := group.action == asks || group.action == local_ || group.action == position
		if told == local && slices.ContainsFunc(group.names, func(listed string) bool { return isListed(listed, name) }) {
			return group.reason
		}
	}
	switch name {
	case "update", "share", "key", "no", "for":
		if name == "for" || strings.EqualFold(before, "for") || name != "update" {
			return "a locking clause, which the writer must hold"
		}
		return "data are changed in a part of the statement"
	case "insert", "delete", "merge", "replace":
		return "data are changed in a part of the statement"
	case "into":
		return "what is selected is written somewhere"
	case "mode", "lock", "in":
		return "a locking clause, which the writer must hold"
	}
	if local {
		return "each server answers it for itself"
	}
	return "with it the statement is not known to only read"
}

// isListed reports whether a name is the one listed, or the schema of all that is listed in it.
func isListed(listed, name string) bool {
	schema, object, found := strings.Cut(listed, ".")
	switch {
	case !found:
		return globMatch(listed, name)
	case object == "*":
		return schema == name
	}
	return globMatch(object, name)
}

// local_ is the action local: the parameter of that name hides it.
const local_ = local

// groups returns the lists of names that are no plain reads.
func (l *language) groups() []functions {
	switch l.dialect {
	case dialect.PG:
		return slices.Concat(postgresFunctions, postgresExtensions, postgresLocal)
	case dialect.MySQL:
		return slices.Concat(mysqlFunctions, mysqlLocal)
	}
	return sqliteFunctions
}

// phrased is a text in which words can be hidden.
type phrased struct {
	parts []string // words and what stands between them, in turns
	words []int    // which parts are words
}

// phrase takes an outline apart. Names in quotes stay whole.
func phrase(text string) phrased {
	var p phrased
	for i := 0; i < len(text); {
		end := i
		switch c := text[i]; {
		case c == '"', c == '`', c == '[':
			end = i + 1
			for end < len(text) && text[end] != map[byte]byte{'"': '"', '`': '`', '[': ']'}[c] {
				end++
			}
			end = min(end+1, len(text))
			p.words = append(p.words, len(p.parts))
		case isNameByte(c):
			for end < len(text) && isNameByte(text[end]) {
				end++
			}
			p.words = append(p.words, len(p.parts))
		default:
			for end < len(text) && text[end] != '"' && text[end] != '`' && text[end] != '[' && !isNameByte(text[end]) {
				end++
			}
		}
		p.parts = append(p.parts, text[i:end])
		i = end
	}
	return p
}

func (p phrased) word(at int) string { return p.parts[p.words[at]] }

// before returns the word before the one at a place, "" if there is none.
func (p phrased) before(at int) string {
	if at == 0 {
		return ""
	}
	return p.word(at - 1)
}

// shown is the word at a place with what makes a variable of it.
func (p phrased) shown(at int) string {
	if i := p.words[at]; i > 0 && strings.HasSuffix(p.parts[i-1], "@") {
		return "@" + p.parts[i]
	}
	begin, end := at, at+1
	switch word, before := strings.ToLower(p.word(at)), strings.ToLower(p.before(at)); {
	case before == "for" && slices.Contains([]string{"update", "share", "no", "key"}, word):
		begin, end = at-1, at+1+map[string]int{"no": 2, "key": 1}[word]
	case before == "lock" && word == "in":
		begin, end = at-1, at+3
	}
	var words []string
	for at := begin; at < min(end, len(p.words)); at++ {
		words = append(words, p.word(at))
	}
	return strings.Join(words, " ")
}

// heads reports whether the word at a place begins a statement.
func (p phrased) heads(at int) bool {
	i := p.words[at]
	return i == 0 || strings.HasSuffix(strings.TrimRight(p.parts[i-1], " ("), ";")
}

func (p phrased) String() string { return strings.Join(p.parts, "") }

// hide puts a word that says nothing in the place of the one at a place. A verb that writes gives way to one that reads. It reports
// false of a word that holds the text together: that stays.
func (p phrased) hide(at int) bool {
	i := p.words[at]
	if i > 0 && strings.HasSuffix(p.parts[i-1], "@") {
		p.parts[i-1] = strings.TrimSuffix(p.parts[i-1], "@")
	}
	if i+1 < len(p.parts) {
		p.parts[i+1] = strings.ReplaceAll(p.parts[i+1], ":=", "+")
	}
	if at > 0 && p.heads(at) {
		p.parts[i] = "SELECT"
		return true
	}
	switch strings.ToLower(p.parts[i]) {
	case "select", "values", "table", "with", "recursive", "as", "materialized", "not", "explain", "analyze", "analyse", "verbose", "show", "describe", "desc", "pragma":
		return false
	case "insert", "update", "delete", "merge", "replace":
		p.parts[i] = "SELECT"
	default:
		p.parts[i] = "x"
	}
	return true
}
