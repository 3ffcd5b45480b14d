package manager

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// document is a text in TOML and what was read of it.
type document struct {
	text string
	line int // the text's first line, counted in the file
	meta toml.MetaData
	root toml.Primitive
}

// parseDocument reads a text. The error is a [*syntaxError].
func parseDocument(text string) (*document, error) {
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return nil, &syntaxError{line: 1, err: errUTF16}
	}
	d := &document{text: strings.TrimPrefix(text, "\ufeff"), line: 1}
	var err error
	if d.meta, err = toml.Decode(d.text, &d.root); err != nil {
		return nil, syntaxErrorOf(d.text, err)
	}
	if key := d.lost(); key != nil {
		line := d.lineOf(key)
		return nil, &syntaxError{line: line, key: key.String(), err: givenTwice(firstLine(d.text, line, key.String()))}
	}
	return d, nil
}

// table returns the content. Values are a string, int64, float64, bool, time.Time, map[string]any or
// []any; a list of [[headers]] is a []map[string]any.
func (d *document) table() map[string]any {
	table := map[string]any{}
	if err := d.meta.PrimitiveDecode(d.root, &table); err != nil {
		panic(fmt.Sprintf("manager: a TOML document is no table: %v", err))
	}
	return table
}

// names returns the keys of the table called parent in the order of the file.
func (d *document) names(parent string) []string {
	var names []string
	seen := map[string]bool{}
	for _, key := range d.meta.Keys() {
		if len(key) < 2 || key[0] != parent || len(names) > 0 && names[len(names)-1] == key[1] || seen[key[1]] {
			continue
		}
		seen[key[1]] = true
		names = append(names, key[1])
	}
	return names
}

// lost returns the key of a value that is not in the document's content, nil if there is none: the decoder
// drops "pool = { max_idle = 1 }" after "pool.max_open = 2" without an error.
func (d *document) lost() toml.Key {
	begun := tables{}
	into := begun // the table that the key stands in, most often that of the key before
	var above toml.Key
	for _, key := range d.meta.Keys() {
		last := len(key) - 1
		if !slices.Equal(key[:last], above) {
			above = key[:last]
			into = begun.at(above)
		}
		if _, again := into[key[last]]; again && !d.isHeader(key) && !d.inList(key) {
			return key
		}
	}
	return nil
}

// tables are the tables of a document that keys were put into, by name.
type tables map[string]tables

// at returns those below path, which has begun from now on.
func (t tables) at(path []string) tables {
	for _, name := range path {
		below := t[name]
		if below == nil {
			below = tables{}
			t[name] = below
		}
		t = below
	}
	return t
}

// isHeader tells whether the last value of key is begun by a line such as [key] or [[key]].
func (d *document) isHeader(key toml.Key) bool {
	switch d.meta.Type(key...) {
	case "ArrayHash":
		return true
	case "Hash":
		table, _ := d.find(key)
		at, ok := d.offset(table)
		return ok && strings.HasPrefix(d.text[at:], "[")
	}
	return false
}

// inList tells whether key stands in a list of tables, where it may be given once for each.
func (d *document) inList(key toml.Key) bool {
	for n := range key {
		if d.isList(key[:n]) {
			return true
		}
	}
	return false
}

// syntaxError says why a text is no TOML. It holds nothing of the line's text but a key: it may be a URI
// whose quotes were forgotten.
type syntaxError struct {
	line int
	key  string // "" if it is not known which
	err  error
}

func (e *syntaxError) Error() string { return e.err.Error() }

var (
	errNotTOML = errors.New("not valid TOML: a missing or extra quote, bracket or comma")
	errUTF16   = errors.New("not valid TOML: the file is in UTF-16: save it as UTF-8")
)

func givenTwice(first int) error {
	if first == 0 {
		return errors.New("not valid TOML: it is given twice")
	}
	return fmt.Errorf("not valid TOML: it is given twice, first in line %d", first)
}

// twice is what the decoder says of a key that was given before: it has no type for that.
var twice = regexp.MustCompile(`^Key '(.*)' (has already been defined|was already created)`)

func syntaxErrorOf(text string, err error) *syntaxError {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return &syntaxError{line: 1, err: errNotTOML}
	}
	line := 1 + strings.Count(text[:min(max(0, parse.Position.Start), len(text))], "\n")
	key := twice.FindStringSubmatch(parse.Message)
	if key == nil {
		return &syntaxError{line: line, err: errNotTOML}
	}
	return &syntaxError{line: line, key: key[1], err: givenTwice(firstLine(text, line, key[1]))}
}

// firstLine returns where a key that is given again in a line was given first, 0 if that cannot be told.
func firstLine(text string, again int, name string) int {
	above := 0
	for range again - 1 {
		above += strings.IndexByte(text[above:], '\n') + 1
	}
	d, err := parseDocument(text[:above])
	if err != nil {
		return 0
	}
	for _, key := range d.meta.Keys() {
		if key.String() == name || strings.HasPrefix(key.String(), name+".") {
			return d.lineOf(key)
		}
	}
	return 0
}
