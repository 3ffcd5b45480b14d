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

func (s *section) str(name string) string {
	switch v := s.get(name).(type) {
	case nil:
	case string:
		return v
	default:
		s.fail(name, "must be a string")
	}
	return ""
}

// unreadable stands for a URI that was reported already: it is wrong, and not missing.
var unreadable = binds.NewURI("?")

func (s *section) uri(name string) binds.URI {
	switch v := s.get(name).(type) {
	case nil:
		return binds.URI{}
	case string:
		if v != "" {
			return binds.NewURI(v)
		}
		s.fail(name, "the URI is empty")
	default:
		s.fail(name, "must be a string, a database's URI")
	}
	return unreadable
}

func (s *section) bool(name string, def bool) bool {
	switch v := s.get(name).(type) {
	case nil:
	case bool:
		return v
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
	text, _ := v.(string)
	if off && text == "off" {
		return -1
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		want := `must be a duration such as "30s" or "5m"`
		if off {
			want += `, or "off"`
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
		text, ok := item.(string)
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
