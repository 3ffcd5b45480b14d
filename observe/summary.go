package observe

import "strings"

// collectionOf returns the table of a statement of one table's, as its outline names it, without quotes; "" where the outline does not make it
// plain. A SELECT of several tables has that which FROM names first.
func collectionOf(op operation, outline string) string {
	t := tokens{text: outline}
	t.next() // the operation
	switch op {
	case opSelect:
		if !t.skipTo("FROM") {
			return ""
		}
	case opDelete:
		if !t.skipTo("FROM") {
			return ""
		}
	case opInsert, opMerge, opReplace:
		if !t.skipTo("INTO") {
			return ""
		}
	case opUpdate:
	case opCreate, opDrop, opAlter, opTruncate:
		if !t.skipTo("TABLE") {
			return ""
		}
	default:
		return ""
	}
	word := t.next()
	for isFiller(word) {
		word = t.next()
	}
	return t.name(word)
}

// isFiller reports that a word may stand before a table's name.
func isFiller(word string) bool {
	switch strings.ToUpper(word) {
	case "IF", "NOT", "EXISTS", "ONLY", "LATERAL", "IGNORE":
		return true
	}
	return false
}

// tokens reads an outline word by word: it has neither values nor comments.
type tokens struct {
	text  string
	depth int // of parentheses
}

// next returns the next word, quoted name or sign, "" at the end.
func (t *tokens) next() string {
	t.text = strings.TrimLeft(t.text, " ")
	if t.text == "" {
		return ""
	}
	end := 1
	switch c := t.text[0]; {
	case c == '"' || c == '`':
		for end < len(t.text) {
			if t.text[end] != c {
				end++
				continue
			}
			end++
			if end == len(t.text) || t.text[end] != c {
				break
			}
			end++ // doubled
		}
	case c == '[':
		if n := strings.IndexByte(t.text, ']'); n > 0 {
			end = n + 1
		}
	case c == '(':
		t.depth++
	case c == ')':
		t.depth--
	case isWord(c):
		for end < len(t.text) && isWord(t.text[end]) {
			end++
		}
	}
	word := t.text[:end]
	t.text = t.text[end:]
	return word
}

// skipTo goes on behind a word outside of parentheses, and reports whether there is one.
func (t *tokens) skipTo(word string) bool {
	for {
		got := t.next()
		if got == "" {
			return false
		}
		if t.depth == 0 && strings.EqualFold(got, word) {
			return true
		}
	}
}

// name returns a table's name that begins with word, with its schema, "" if that is none.
func (t *tokens) name(word string) string {
	name := unquoted(word)
	for name != "" && strings.HasPrefix(t.text, ".") {
		t.next()
		part := unquoted(t.next())
		if part == "" {
			return ""
		}
		name += "." + part
	}
	return name
}

// unquoted returns a name without its quotes, "" if the word is no name.
func unquoted(word string) string {
	if word == "" {
		return ""
	}
	switch c := word[0]; {
	case c == '"' || c == '`':
		if len(word) < 3 || word[len(word)-1] != c {
			return ""
		}
		q := string(c)
		return strings.ReplaceAll(word[1:len(word)-1], q+q, q)
	case c == '[':
		return strings.Trim(word, "[]")
	case isWord(c) && c < 0x80: // "…" ends an outline that is cut short
		return word
	}
	return ""
}
