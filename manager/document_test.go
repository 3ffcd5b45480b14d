package manager

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents are TOML, and what comes close to it: the line of what is wrong, 0 for nothing, and what is said.
var documents = map[string]struct {
	text string
	line int
	want string
}{
	"nothing":                                 {"", 0, ""},
	"no line end at the end":                  {"a = 1", 0, ""},
	"CRLF":                                    {"a = 1\r\n\r\n[b]\r\nc = 2\r\n", 0, ""},
	"a lone carriage return":                  {"a = 1\rb = 2", 1, "a missing or extra quote"},
	"a byte order mark":                       {"\ufeffa = 1", 0, ""},
	"every scalar":                            {"a = 1_000\nb = -0x0f\nc = 1e3\nd = inf\ne = true\nf = 2026-01-02\ng = 07:08:09\nh = 2026-01-02T07:08:09Z\ni = 2026-01-02 07:08:09", 2, "a missing or extra quote"},
	"every string":                            {"a = \"x\\u00e9\\n\"\nb = 'C:\\x'\nc = \"\"\"\none\n two \\\n three\"\"\"\nd = '''\nx'''", 0, ""},
	"a number with two underscores":           {"a = 1\nb = 1__0", 2, "a missing or extra quote"},
	"a number with a leading zero":            {"a = 010", 1, "a missing or extra quote"},
	"a number beyond 64 bits":                 {"a = 9223372036854775808", 1, "a missing or extra quote"},
	"a date that is none":                     {"\n\na = 2026-13-01", 3, "a missing or extra quote"},
	"a time that is none":                     {"a = [\n1,\n25:00:00]", 3, "a missing or extra quote"},
	"a word":                                  {"a = yes", 1, "a missing or extra quote"},
	"a word that begins as another":           {"a = trueish", 1, "a missing or extra quote"},
	"no value":                                {"a =", 1, "a missing or extra quote"},
	"a string without its end":                {"[b]\na = \"x\nb = 1", 2, "a missing or extra quote"},
	"a text without its end":                  {"a = 1\nb = \"\"\"\n\n", 3, "a missing or extra quote"},
	"a list without its end":                  {"a = [1,\n2", 2, "a missing or extra quote"},
	"a bracket too few":                       {"[a\nb = 1", 1, "a missing or extra quote"},
	"a tilde":                                 {"a = 1\n~", 2, "a missing or extra quote"},
	"two values on a line":                    {"a = 1 b = 2", 1, "a missing or extra quote"},
	"a comment after a value":                 {"a = 1 # one\n# two\n[b] # three", 0, ""},
	"a control character in a comment":        {"a = 1\n# \x01", 2, "a missing or extra quote"},
	"no UTF-8":                                {"a = \"\xff\"", 1, "a missing or extra quote"},
	"dotted keys":                             {"a.b.c = 1\na.b.d = 2\na . \"b\" . 'e' = 3", 0, ""},
	"a header above, later":                   {"[a.b]\nc = 1\n[a]\nd = 2", 0, ""},
	"a header again":                          {"[a]\nb = 1\n[c]\n[a]", 4, "a: it is given twice, first in line 1"},
	"a header above, again":                   {"[a.b]\n[a]\n[a]", 3, "a: it is given twice, first in line 1"},
	"a header of a value":                     {"a = 1\n[a]", 2, "a: it is given twice, first in line 1"},
	"a header below a value":                  {"a = 1\n[a.b]", 2, "a: it is given twice, first in line 1"},
	"a header of an inline table":             {"a = {}\n[a]", 2, "a: it is given twice, first in line 1"},
	"a header below an inline table":          {"a = { b = 1 }\n[a.c]", 0, ""},
	"a header of a dotted key's table":        {"a.b = 1\n[a]", 0, ""},
	"a header below a dotted key's table":     {"a.b = 1\n[a.c]\nd = 1", 0, ""},
	"a header of a dotted key, from a table":  {"[x]\na.b = 1\n[x.a]", 0, ""},
	"a dotted key into a header's table":      {"[a.b]\nc = 1\n[a]\nb.d = 2", 0, ""},
	"a dotted key into a value":               {"a = 1\na.b = 2", 2, "a: it is given twice, first in line 1"},
	"a dotted key into an inline table":       {"a = { b = 1 }\na.c = 2", 0, ""},
	"a key again":                             {"a = 1\nb = 2\na = 3", 3, "a: it is given twice, first in line 1"},
	"a key again, quoted":                     {"a = 1\n\"a\" = 3", 2, "a: it is given twice, first in line 1"},
	"a key again, as a table":                 {"a.b = 1\na = 3", 2, "a: it is given twice, first in line 1"},
	"a key again in an inline table":          {"a = { b = 1, b = 2 }", 1, "a.b: it is given twice"},
	"a key again in a nested inline table":    {"a = [{ b = { c = 1, c = 2 } }]", 1, "a.b.c: it is given twice"},
	"a dotted key in an inline table":         {"a = { b.c = 1, b.d = 2 }", 0, ""},
	"a dotted key into its inline table":      {"a = { b = { c = 1 }, b.d = 2 }", 0, ""},
	"an inline table of several lines":        {"a = {\nb = 1,\nc = 2,\n}", 0, ""},
	"tables in a list":                        {"[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 1\n[[a]]\n[a.c]", 0, ""},
	"a table in a list's item again":          {"[[a]]\n[a.c]\n[a.c]", 3, "a.c: it is given twice, first in line 1"},
	"lists in lists":                          {"[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[[a]]\n[[a.b]]", 0, ""},
	"a list's header as a table's":            {"[[a]]\n[a]", 2, "a: it is given twice, first in line 1"},
	"a table's header as a list's":            {"[a]\n[[a]]", 2, "a: it is given twice, first in line 1"},
	"a list's header over a list":             {"a = []\n[[a]]", 2, "a: it is given twice, first in line 1"},
	"a list's header over a path":             {"[a.b]\n[[a]]", 2, "a: it is given twice, first in line 1"},
	"a list's header below a value":           {"a = 1\n[[a.b]]", 2, "a: it is given twice, first in line 1"},
	"a dotted key into a list":                {"[[a.b]]\n[a]\nb.c = 1", 0, ""},
	"an empty key":                            {"\"\" = 1\n[\"\".a]", 2, "\"\": it is given twice, first in line 1"},
	"an empty header":                         {"[]", 1, "a missing or extra quote"},
	"UTF-16":                                  {"\xff\xfea\x00=\x001\x00", 1, "save it as UTF-8"},
	"a table again, after a dotted key":       {"a.b = 1\na = { c = 2 }", 2, "a: it is given twice, first in line 1"},
	"a list again, after a dotted key":        {"a.b = 1\n\na = [2]", 3, "a: it is given twice, first in line 1"},
	"a key again, after a header below it":    {"[x.a.b]\n[x]\na = 3", 3, "x.a: it is given twice, first in line 1"},
	"a key again, inline, after a dotted key": {"x = { a.b = 1, a = 3 }", 1, "x.a: it is given twice"},
	"a key again, in the next item":           {"r = [{ a.b = 1 }, { a = 2 }]\n[[s]]\na.b = 1\n[[s]]\na = 2", 0, ""},
}

func TestParseDocument(t *testing.T) {
	for reason, row := range documents {
		t.Run(reason, func(t *testing.T) {
			_, err := parseDocument(row.text)
			if row.line == 0 {
				require.NoError(t, err)
				return
			}
			var syntax *syntaxError
			require.ErrorAs(t, err, &syntax)
			assert.Equal(t, row.line, syntax.line)
			assert.Contains(t, strings.Replace(syntax.key+": "+syntax.Error(), "not valid TOML: ", "", 1), row.want)
		})
	}
}

// TestLineOf asks for the lines of values, of what is not there, and of the items of lists.
func TestLineOf(t *testing.T) {
	d, err := parseDocument(strings.Join([]string{
		`a = 1`,
		`[b]`,
		`c = """`,
		`text of "two" lines"""`,
		`"d e" = 'x'`,
		`f.g.h = true`,
		``,
		`[b.i]`,
		`j = [ # none, [ of , this`,
		`  "k\"], x", { l = 10,`,
		`    m = 11 }, # {`,
		`  [`,
		`    13,`,
		`    # ]`,
		`    'n ] 15' ],`,
		`  16,`,
		`  '''17`,
		`],''', 18, {},`,
		`  1e19, 2026-01-20]`,
		``,
		`[[o]]`,
		`p = { q = 22,`,
		`  r = [23,`,
		`    24] }`,
		`[[o]] # a comment`,
		`p = 26`,
		`  [[ o . "s" ]]`,
		`u = 28`,
		`[[o.s]]`,
		`u = 30`,
		`[o.v]`,
		`w.x = 32`,
		`[[o]]`,
		`[o.v]`,
		`[y.z.a]`,
		`b = 36`,
		`[y]`,
		`c = 38`,
	}, "\n"))
	require.NoError(t, err)
	for path, want := range map[string]int{
		"":            1,
		"a":           1,
		"b":           2,
		"b.c":         3,
		"b.d e":       5,
		"b.f":         6,
		"b.f.g":       6,
		"b.f.g.h":     6,
		"b.f.none":    6,
		"b.none":      2,
		"none":        1,
		"none.at.all": 1,
		"b.i.j":       9,
		"b.i.j.0":     10,
		"b.i.j.0.uri": 10,
		"b.i.j.1":     10,
		"b.i.j.1.l":   10,
		"b.i.j.1.m":   11,
		"b.i.j.2":     12,
		"b.i.j.2.0":   13,
		"b.i.j.2.1":   15,
		"b.i.j.3":     16,
		"b.i.j.4":     17,
		"b.i.j.5":     18,
		"b.i.j.6":     18,
		"b.i.j.7":     19,
		"b.i.j.8":     19,
		"b.i.j.9":     9,
		"b.i.j.x":     9,
		"o.0":         21,
		"o.0.p":       22,
		"o.0.p.q":     22,
		"o.0.p.r":     23,
		"o.0.p.r.0":   23,
		"o.0.p.r.1":   24,
		"o.1":         25,
		"o.1.p":       26,
		"o.1.s.0":     27,
		"o.1.s.0.u":   28,
		"o.1.s.1":     29,
		"o.1.s.1.u":   30,
		"o.1.v":       31,
		"o.1.v.w":     32,
		"o.1.v.w.x":   32,
		"o.2":         33,
		"o.2.v":       34,
		"o.3":         33,
		"y":           37,
		"y.z":         35,
		"y.z.a":       35,
		"y.z.a.b":     36,
		"y.c":         38,
	} {
		var names []string
		if path != "" {
			names = strings.Split(path, ".")
		}
		assert.Equal(t, want, d.lineOf(names), path)
	}
}

func TestNames(t *testing.T) {
	d, err := parseDocument("x = 1\nbinds.c.d = 1\n[binds.b]\n[other.a]\n[binds.a.b]\nbinds = 1\n[binds]\nb2 = 1\nc2 = { b = 1 }")
	require.NoError(t, err)
	assert.Equal(t, []string{"c", "b", "a", "b2", "c2"}, d.names("binds"))
}

// FuzzParseDocument holds parseDocument to the decoder, but for values that this drops: every key of a
// document leads to a value, and every value has a line that names it.
func FuzzParseDocument(f *testing.F) {
	for _, row := range documents {
		f.Add([]byte(row.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := parseDocument(string(text))
		var syntax *syntaxError
		if errors.As(err, &syntax) {
			require.LessOrEqual(t, syntax.line, 1+bytes.Count(text, []byte("\n")))
			require.Positive(t, syntax.line)
			return
		}
		require.NoError(t, err)
		want := map[string]any{}
		require.NoError(t, toml.Unmarshal(text, &want))
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(d.table()))
		lines := strings.Split(d.text, "\n")
		for _, key := range d.meta.Keys() {
			line := d.lineOf(key)
			require.Positive(t, line)
			require.LessOrEqual(t, line, len(lines))
			if d.inList(key) || d.isList(key) {
				continue
			}
			_, known := d.find(key)
			require.Equal(t, len(key), known, "%q is lost", key)
			if name := key[len(key)-1]; toml.Key([]string{name}).String() == name {
				require.Contains(t, lines[line-1], name)
			}
		}
		everyValue(d.table(), nil, func(path []string) {
			line := d.lineOf(path)
			require.Positive(t, line)
			require.LessOrEqual(t, line, len(lines))
		})
	})
}

// everyValue calls fn with the path of each value below value.
func everyValue(value any, path []string, fn func(path []string)) {
	fn(path)
	if table, ok := value.(map[string]any); ok {
		for name, below := range table {
			everyValue(below, append(slices.Clip(path), name), fn)
		}
	}
	if items, ok := listOf(value); ok {
		for i, item := range items {
			everyValue(item, append(slices.Clip(path), strconv.Itoa(i)), fn)
		}
	}
}

// TestParseDocumentOfManyLines would not end within a test's time if each value were looked for among all
// that stand before it.
func TestParseDocumentOfManyLines(t *testing.T) {
	const lines = 50_000
	var text bytes.Buffer
	text.WriteString("[binds]\n")
	for i := range lines {
		fmt.Fprintf(&text, "bind%d = \"x\"\n", i)
	}
	d, err := parseDocument(text.String())
	require.NoError(t, err)
	assert.Len(t, d.names("binds"), lines)
	assert.Equal(t, lines+1, d.lineOf([]string{"binds", fmt.Sprintf("bind%d", lines-1)}))
}
