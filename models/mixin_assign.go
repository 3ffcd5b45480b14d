package models

import (
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// assigns reports whether one of the SET expressions assigns the column, and whether what it
// assigns is the row's own value in Bun's _data, as Bulk has it.
func assigns(set []schema.QueryWithArgs, column string) (yes, fromRow bool) {
	for _, s := range set {
		for target, value := range assignments(s.Query, s.Args) {
			if strings.EqualFold(target, column) {
				return true, isRowsOwn(value, column)
			}
		}
	}
	return false, false
}

func isRowsOwn(value, column string) bool {
	name, ok := strings.CutPrefix(strings.TrimSpace(value), "_data.")
	return ok && strings.EqualFold(strings.Trim(name, "\"`"), column)
}

// assignments yields the columns that a SET expression assigns, without quotes and table, each with
// the text of its value. Of a list in parentheses, each has the whole text.
func assignments(query string, args []any) func(yield func(target, value string) bool) {
	return func(yield func(target, value string) bool) {
		l := assignLexer{text: query, args: args}
		for l.at < len(l.text) {
			targets, nested := l.targets()
			value := l.value()
			for _, n := range nested {
				for target, value := range assignments(n.Query, n.Args) {
					if !yield(target, value) {
						return
					}
				}
			}
			for _, target := range targets {
				if !yield(target, value) {
					return
				}
			}
		}
	}
}

// assignLexer reads the text of SET expressions.
type assignLexer struct {
	text string
	at   int
	args []any
	arg  int // the next one
}

// targets reads up to the =, or to the comma or end where there is none.
func (l *assignLexer) targets() (targets []string, nested []schema.QueryWithArgs) {
	var last string
	flush := func() {
		if last != "" {
			targets = append(targets, last)
		}
		last = ""
	}
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '=':
			l.at++
			flush()
			return targets, nested
		case c == ',':
			l.at++
			flush()
		case c == '"' || c == '`' || c == '[':
			last = l.quoted(closing(c))
		case c == '?':
			var n *schema.QueryWithArgs
			if last, n = l.placeholder(); n != nil {
				nested = append(nested, *n)
			}
		case isWord(c):
			last = l.word()
		default:
			l.at++
		}
	}
	return nil, nested
}

// value reads past the next comma that is in no parentheses.
func (l *assignLexer) value() string {
	start, depth := l.at, 0
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '\'' || c == '"' || c == '`':
			l.quoted(c)
			continue
		case c == '?':
			l.placeholder()
			continue
		case c == '\\': // Bun's \?
			l.at++
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			l.at++
			return l.text[start : l.at-1]
		}
		l.at++
	}
	l.at = min(l.at, len(l.text))
	return l.text[start:l.at]
}

// quoted reads to the closing quote; a doubled one does not close.
func (l *assignLexer) quoted(closing byte) string {
	l.at++
	start := l.at
	for l.at < len(l.text) {
		switch l.text[l.at] {
		case closing:
			if l.at+1 == len(l.text) || l.text[l.at+1] != closing {
				end := l.at
				l.at++
				return l.text[start:end]
			}
			l.at++
		case '?': // Bun replaces it here too
			l.placeholder()
			continue
		}
		l.at++
	}
	l.at = min(l.at, len(l.text))
	return l.text[start:l.at]
}

func closing(open byte) byte {
	if open == '[' {
		return ']'
	}
	return open
}

// placeholder reads a ? and returns the name that its argument is, or the expression.
func (l *assignLexer) placeholder() (name string, nested *schema.QueryWithArgs) {
	l.at++
	n := l.arg
	if w := l.word(); w != "" {
		n = 0
		for _, c := range w {
			if c < '0' || c > '9' {
				return "", nil // a named argument
			}
			n = n*10 + int(c-'0')
		}
	} else {
		l.arg++
	}
	if n >= len(l.args) {
		return "", nil
	}
	switch arg := l.args[n].(type) {
	case bun.Ident:
		return string(arg[strings.LastIndexByte(string(arg), '.')+1:]), nil
	case bun.Name:
		return string(arg), nil
	case bun.Safe:
		if !strings.Contains(string(arg), "=") {
			return strings.Trim(string(arg[strings.LastIndexByte(string(arg), '.')+1:]), " \"`[]"), nil
		}
		return "", &schema.QueryWithArgs{Query: string(arg)}
	case schema.QueryWithArgs:
		return "", &arg
	}
	return "", nil
}

func (l *assignLexer) word() string {
	start := l.at
	for l.at < len(l.text) && isWord(l.text[l.at]) {
		l.at++
	}
	return l.text[start:l.at]
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
