package mysqlbind

import "strings"

// lexer reads the words of a statement as the server does: comments are no text, executable
// comments are, quotes hide what is in them.
type lexer struct {
	text string
	at   int
}

// word returns the next word outside quotes, "" at the end.
func (l *lexer) word() string {
	for {
		w, quoted := l.next()
		if !quoted {
			return w
		}
	}
}

// next returns the next word, or the inside of the next quoted text, which may be empty. Punctuation
// is skipped. At the end it returns "", false.
func (l *lexer) next() (text string, quoted bool) {
	for l.at < len(l.text) {
		c := l.text[l.at]
		switch {
		case isWordByte(c):
			start := l.at
			for l.at < len(l.text) && isWordByte(l.text[l.at]) {
				l.at++
			}
			return l.text[start:l.at], false
		case c == '\'', c == '"', c == '`':
			return l.quote(c), true
		case c == '#', c == '-' && l.isDashComment():
			l.skipPast("\n")
		case c == '/' && strings.HasPrefix(l.text[l.at:], "/*"):
			l.comment()
		default:
			l.at++
		}
	}
	return "", false
}

// isDashComment: two dashes begin a comment only if a blank or control character follows.
func (l *lexer) isDashComment() bool {
	rest := l.text[l.at:]
	return strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' ')
}

// comment skips a comment, but of an executable one, /*!50000 … */ or /*M!100000 … */, only the
// opening: the server runs what is in it.
func (l *lexer) comment() {
	rest := l.text[l.at+2:]
	open := 0
	switch {
	case strings.HasPrefix(rest, "!"):
		open = 1
	case strings.HasPrefix(rest, "M!"):
		open = 2
	default:
		l.at += 2
		l.skipPast("*/")
		return
	}
	l.at += 2 + open
	for l.at < len(l.text) && '0' <= l.text[l.at] && l.text[l.at] <= '9' {
		l.at++
	}
}

// quote returns what stands between quotes. A backslash hides the next byte, except in backticks; a
// doubled quote ends one text and begins another, which is as good.
func (l *lexer) quote(mark byte) string {
	l.at++
	start := l.at
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == mark:
			l.at++
			return l.text[start : l.at-1]
		case c == '\\' && mark != '`':
			l.at++
		}
		l.at++
	}
	l.at = len(l.text)
	return l.text[start:]
}

func (l *lexer) skipPast(end string) {
	i := strings.Index(l.text[l.at:], end)
	if i < 0 {
		l.at = len(l.text)
		return
	}
	l.at += i + len(end)
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '$' || c >= 0x80
}
