package manager

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// expand replaces ${NAME} by the environment variable NAME, and ${NAME:-text} by text where NAME is
// unset or empty. "$$" stands for one "$". A "$" before anything else is itself.
func expand(s string, lookup func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 == len(s) {
			out.WriteString(s)
			return out.String(), nil
		}
		out.WriteString(s[:i])
		switch s[i+1] {
		case '$':
			out.WriteByte('$')
			s = s[i+2:]
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return "", errors.New(`"${" without its "}" (a literal "$" is "$$")`)
			}
			value, err := variable(s[i+2:i+end], lookup)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			s = s[i+end+1:]
		default:
			out.WriteByte('$')
			s = s[i+1:]
		}
	}
}

func variable(ref string, lookup func(string) (string, bool)) (string, error) {
	name, def, hasDefault := strings.Cut(ref, ":-")
	if !isVariable(name) {
		// What stands there may be part of a password: do not repeat it.
		return "", errors.New(`what stands in "${…}" is no variable name (a literal "$" is "$$")`)
	}
	value, set := lookup(name)
	switch {
	case hasDefault && value == "":
		return def, nil
	case !set:
		return "", fmt.Errorf("the environment variable %s is not set (give it, or a default: ${%s:-…})", name, name)
	}
	return value, nil
}

func isVariable(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// readPassword reads a file that holds a password and perhaps one line end.
func readPassword(file string) (string, error) {
	if err := regular(file); err != nil {
		return "", err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	pw := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if pw == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return pw, nil
}
