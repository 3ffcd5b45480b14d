package manager

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents are TOML, and what comes close to it.
var documents = map[string]string{
	"nothing":                                "",
	"no line end at the end":                 "a = 1",
	"CRLF":                                   "a = 1\r\n\r\n[b]\r\nc = 2\r\n",
	"a lone carriage return":                 "a = 1\rb = 2",
	"a byte order mark":                      "\ufeffa = 1",
	"every scalar":                           "a = 1_000\nb = -0x0f\nc = 1e3\nd = inf\ne = true\nf = 2026-01-02\ng = 07:08:09\nh = 2026-01-02T07:08:09Z\ni = 2026-01-02 07:08:09",
	"every string":                           "a = \"x\\u00e9\\n\"\nb = 'C:\\x'\nc = \"\"\"\none\n two \\\n three\"\"\"\nd = '''\nx'''",
	"a number with two underscores":          "a = 1\nb = 1__0",
	"a number with a leading zero":           "a = 010",
	"a number beyond 64 bits":                "a = 9223372036854775808",
	"a date that is none":                    "\n\na = 2026-13-01",
	"a time that is none":                    "a = [\n1,\n25:00:00]",
	"a word":                                 "a = yes",
	"a word that begins as another":          "a = trueish",
	"no value":                               "a =",
	"a string without its end":               "[b]\na = \"x\nb = 1",
	"a text without its end":                 "a = 1\nb = \"\"\"\n\n",
	"a list without its end":                 "a = [1,\n2",
	"a bracket too few":                      "[a\nb = 1",
	"a tilde":                                "a = 1\n~",
	"two values on a line":                   "a = 1 b = 2",
	"a comment after a value":                "a = 1 # one\n# two\n[b] # three",
	"a control character in a comment":       "a = 1\n# \x01",
	"no UTF-8":                               "a = \"\xff\"",
	"dotted keys":                            "a.b.c = 1\na.b.d = 2\na . \"b\" . 'e' = 3",
	"a header above, later":                  "[a.b]\nc = 1\n[a]\nd = 2",
	"a header again":                         "[a]\nb = 1\n[c]\n[a]",
	"a header above, again":                  "[a.b]\n[a]\n[a]",
	"a header of a value":                    "a = 1\n[a]",
	"a header below a value":                 "a = 1\n[a.b]",
	"a header of an inline table":            "a = {}\n[a]",
	"a header below an inline table":         "a = { b = 1 }\n[a.c]",
	"a header of a dotted key's table":       "a.b = 1\n[a]",
	"a header below a dotted key's table":    "a.b = 1\n[a.c]\nd = 1",
	"a header of a dotted key, from a table": "[x]\na.b = 1\n[x.a]",
	"a dotted key into a header's table":     "[a.b]\nc = 1\n[a]\nb.d = 2",
	"a dotted key into a value":              "a = 1\na.b = 2",
	"a dotted key into an inline table":      "a = { b = 1 }\na.c = 2",
	"a key again":                            "a = 1\nb = 2\na = 3",
	"a key again, quoted":                    "a = 1\n\"a\" = 3",
	"a key again, as a table":                "a.b = 1\na = 3",
	"a key again in an inline table":         "a = { b = 1, b = 2 }",
	"a key again in a nested inline table":   "a = [{ b = { c = 1, c = 2 } }]",
	"a dotted key in an inline table":        "a = { b.c = 1, b.d = 2 }",
	"a dotted key into its inline table":     "a = { b = { c = 1 }, b.d = 2 }",
	"an inline table of several lines":       "a = {\nb = 1,\nc = 2,\n}",
	"tables in a list":                       "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 1\n[[a]]\n[a.c]",
	"a table in a list's item again":         "[[a]]\n[a.c]\n[a.c]",
	"lists in lists":                         "[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[[a]]\n[[a.b]]",
	"a list's header as a table's":           "[[a]]\n[a]",
	"a table's header as a list's":           "[a]\n[[a]]",
	"a list's header over a list":            "a = []\n[[a]]",
	"a list's header over a path":            "[a.b]\n[[a]]",
	"a list's header below a value":          "a = 1\n[[a.b]]",
	"a dotted key into a list":               "[[a.b]]\n[a]\nb.c = 1",
	"an empty key":                           "\"\" = 1\n[\"\".a]",
	"an empty header":                        "[]",
}

// TestParseTree holds parseTree to the decoder of TOML: the same documents, the same lines of what is wrong
// with others, the same content.
func TestParseTree(t *testing.T) {
	for reason, doc := range documents {
		t.Run(reason, func(t *testing.T) { sameAsDecoder(t, []byte(doc)) })
	}
}

func FuzzParseTree(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { sameAsDecoder(t, doc) })
}

func sameAsDecoder(t *testing.T, doc []byte) {
	t.Helper()
	root, line, err := parseTree(doc)
	want := map[string]any{}
	wrong := toml.Unmarshal(doc, &want)
	require.Equal(t, wrong == nil, err == nil, "the decoder says %v, we say %v", wrong, err)
	var de *toml.DecodeError
	if errors.As(wrong, &de) {
		at, _ := de.Position()
		assert.Greater(t, line, 0)
		if !bytes.ContainsAny(doc, "[{") { // within a value of several lines ours is the nearer one
			assert.Equal(t, at, line, wrong)
		}
		return
	}
	sameContent(t, want, root)
}

func sameContent(t *testing.T, want any, n *node) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		require.Equal(t, unstable.Table, n.kind)
		require.Len(t, n.names, len(want))
		for name, value := range want {
			require.Contains(t, n.table, name)
			sameContent(t, value, n.table[name])
		}
	case []any:
		require.Equal(t, unstable.Array, n.kind)
		require.Len(t, n.items, len(want))
		for i := range want {
			sameContent(t, want[i], n.items[i])
		}
	case string:
		require.Equal(t, unstable.String, n.kind)
		require.Equal(t, want, n.text)
	case bool:
		require.Equal(t, fmt.Sprint(want), n.text)
	default:
		require.Nil(t, n.table, "a scalar")
	}
}

// TestLines compares with counting.
func TestLines(t *testing.T) {
	for reason, text := range map[string]string{
		"nothing":                "",
		"no line end at the end": "a\nb",
		"a line end at the end":  "a\nb\n",
		"CRLF":                   "a\r\nb\r\n\r\nc",
		"empty lines":            "\n\n\na\n\n",
	} {
		l := linesOf([]byte(text))
		for i := range len(text) + 1 {
			assert.Equal(t, 1+strings.Count(text[:i], "\n"), l.of(unstable.Range{Offset: uint32(i)}), "%s: %q at %d", reason, text, i)
		}
	}
}

// TestParseTreeOfManyLines would not end within a test's time if the parser looked at what stands before for
// every value.
func TestParseTreeOfManyLines(t *testing.T) {
	const lines = 200_000
	var doc bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&doc, "bind%d = \"x\"\n", i)
	}
	root, _, err := parseTree(doc.Bytes())
	require.NoError(t, err)
	assert.Len(t, root.names, lines)
	assert.Equal(t, lines, root.table[fmt.Sprintf("bind%d", lines-1)].line)
}
