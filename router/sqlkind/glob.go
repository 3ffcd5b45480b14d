package sqlkind

import (
	"fmt"
	"strings"
)

// glob matches the name of a function, and of its schema if schema is not empty.
// Both parts are in lower case.
type glob struct {
	schema string
	name   string
	wild   bool // it matches more names than one
	users  bool // one of the user's
}

func parseGlob(pattern string) (glob, error) {
	bad := func(format string, args ...any) (glob, error) {
		return glob{}, &GlobError{Glob: pattern, Reason: fmt.Sprintf(format, args...)}
	}
	if pattern == "" {
		return bad("empty")
	}
	for i := range len(pattern) {
		if c := pattern[i]; !isNameByte(c) && c != '*' && c != '?' && c != '.' {
			return bad("%q is no part of a name", c)
		}
	}
	schema, name, qualified := strings.Cut(lowerASCII(pattern), ".")
	switch {
	case !qualified:
		return glob{name: schema, wild: wild(schema)}, nil
	case strings.Contains(name, "."):
		return bad("more than one dot")
	case schema == "":
		return bad("no schema before the dot")
	case name == "":
		return bad("no name after the dot")
	}
	return glob{schema: schema, name: name, wild: wild(name)}, nil
}

// matches tells whether a call of schema.name is meant. An empty schema is one not known: it may be any.
func (g *glob) matches(schema, name string) bool {
	if g.schema != "" && schema != "" && !globMatch(g.schema, schema) {
		return false
	}
	return g.mayBegin(name) && globMatch(g.name, name)
}

// mayBegin tells whether name, which is not empty, has the first byte that g asks for.
func (g *glob) mayBegin(name string) bool {
	return g.name[0] == lower(name[0]) || g.name[0] == '*' || g.name[0] == '?'
}

// globMatch matches name, in any case, with pattern, in lower case. It takes no more steps than
// their lengths multiplied: after a mismatch only the last star is tried again.
func globMatch(pattern, name string) bool {
	p, n := 0, 0
	star, from := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == lower(name[n])):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

func isNameByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// plain tells whether g is a name and nothing else.
func (g *glob) plain() bool { return g.schema == "" && !g.wild }

func wild(name string) bool { return strings.ContainsAny(name, "*?") }
