package manager

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/nearest"
	"github.com/bindery-go/bindery/internal/uripassword"
)

// section reads the keys of one table; keys that were not read are unknown.
type section struct {
	l     *loader
	table map[string]any
	path  []string
	known []string
}

func (l *loader) section(table map[string]any, path ...string) *section {
	return &section{l: l, table: table, path: path, known: make([]string, 0, 16)}
}

func (s *section) at(name string) []string { return append(slices.Clip(s.path), name) }

// get returns the value of a key, nil if the file has none.
func (s *section) get(name string) any {
	s.known = append(s.known, name)
	return s.table[name]
}

func (s *section) fail(name, text string) { s.l.fail(s.at(name), errors.New(text)) }

// fromVariables is a text of the file in which variables were replaced. It may stand for a number or a
// boolean, which TOML has no way to write with a variable in it.
type fromVariables struct {
	text  string
	names string // "A, B"
}

// textOf returns a text, whether it held variables or not.
func textOf(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case fromVariables:
		return v.text, true
	}
	return "", false
}

// wrong says that what variables gave is not what is wanted. It does not show it: it may be a secret that
// was put into the wrong variable.
func (v fromVariables) wrong(want string) string {
	if v.text == "" {
		return fmt.Sprintf("must be %s, and %s is empty (a default: ${NAME:-…})", want, v.names)
	}
	return fmt.Sprintf("must be %s, and %s gives another text", want, v.names)
}

func (s *section) str(name string) string {
	switch v := s.get(name).(type) {
	case nil:
	case string:
		return v
	case fromVariables:
		if v.text == "" {
			s.fail(name, v.names+" is empty")
		}
		return v.text
	default:
		s.fail(name, "must be a string")
	}
	return ""
}

// unreadable stands for a URI that was reported already: it is wrong, and not missing.
var unreadable = binds.NewURI("?")

func (s *section) uri(name string) binds.URI {
	v := s.get(name)
	if v == nil {
		return binds.URI{}
	}
	return s.l.uri(v, s.at(name), "must be a string, a database's URI")
}

// uri returns a value as a URI.
func (l *loader) uri(v any, path []string, want string) binds.URI {
	text, ok := textOf(v)
	switch {
	case text != "":
		if _, written := v.(string); written {
			l.secret = l.secret || uripassword.Carries(text)
		}
		return binds.NewURI(text)
	case !ok:
		l.fail(path, errors.New(want))
	default:
		l.fail(path, errors.New("the URI is empty"+emptied(v)))
	}
	return unreadable
}

// emptied names the variables that left nothing.
func emptied(v any) string {
	if v, ok := v.(fromVariables); ok {
		return ": so is " + v.names
	}
	return ""
}

func (s *section) bool(name string, def bool) bool {
	switch v := s.get(name).(type) {
	case nil:
	case bool:
		return v
	case fromVariables:
		b, err := strconv.ParseBool(strings.TrimSpace(v.text))
		if err == nil {
			return b
		}
		s.fail(name, v.wrong("true or false"))
	default:
		s.fail(name, "must be true or false")
	}
	return def
}

func (s *section) int(name string) int {
	switch v := s.get(name).(type) {
	case nil:
	case int64:
		if int64(int32(v)) == v {
			return int(v)
		}
		s.fail(name, "must be a whole number that fits 32 bits")
	case fromVariables:
		n, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 32)
		if err == nil {
			return int(n)
		}
		s.fail(name, v.wrong("a whole number"))
	default:
		s.fail(name, "must be a whole number")
	}
	return 0
}

// duration reads "30s"; "off" is negative, which means none.
func (s *section) duration(name string) time.Duration { return s.durationOr(name, true) }

func (s *section) durationOr(name string, off bool) time.Duration {
	v := s.get(name)
	if v == nil {
		return 0
	}
	text, _ := textOf(v)
	if off && text == "off" {
		return -1
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		want := `must be a duration such as "30s" or "5m"`
		if off {
			want += `, or "off"`
		}
		if v, ok := v.(fromVariables); ok {
			want = v.wrong(strings.TrimPrefix(want, "must be "))
		}
		s.fail(name, want)
	}
	return d
}

func (s *section) strings(name string) []string {
	v := s.get(name)
	if v == nil {
		return nil
	}
	items, ok := listOf(v)
	if !ok {
		s.fail(name, "must be a list of strings")
	}
	var list []string
	for i, item := range items {
		text, ok := textOf(item)
		if !ok {
			s.l.fail(append(s.at(name), strconv.Itoa(i)), errors.New("must be a string"))
			continue
		}
		list = append(list, text)
	}
	return list
}

// listOf returns the items of a list, which may be one of [[headers]].
func listOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case []map[string]any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = v[i]
		}
		return items, true
	}
	return nil, false
}

// sub returns the section of a table, nil if the file has none.
func (s *section) sub(name string) *section {
	switch v := s.get(name).(type) {
	case nil:
	case map[string]any:
		return s.l.section(v, s.at(name)...)
	default:
		s.fail(name, "must be a table")
	}
	return nil
}

// done reports the keys that were not read.
func (s *section) done() {
	for name := range s.table {
		if slices.Contains(s.known, name) {
			continue
		}
		hint := nearest.Hint(name, s.known)
		if hint == "" {
			hint = fmt.Sprintf(" (known: %s)", strings.Join(slices.Sorted(slices.Values(s.known)), ", "))
		}
		s.fail(name, "unknown key"+hint)
	}
}
