package manager

import (
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"
)

// node is a value of a TOML file that knows its line, which decoding into structs forgets.
type node struct {
	line  int
	kind  unstable.Kind // Table, Array or a scalar's
	from  origin
	text  string   // a scalar, unquoted
	names []string // a table's keys in the order of the file
	table map[string]*node
	items []*node // an array's
}

func newTable(line int, from origin) *node {
	return &node{line: line, kind: unstable.Table, from: from, table: map[string]*node{}}
}

func (n *node) put(name string, c *node) {
	if n.table[name] == nil {
		n.names = append(n.names, name)
	}
	n.table[name] = c
}

// parseTree reads a TOML document. The error carries the line, and nothing of the line's text: it
// may be a URI whose quotes were forgotten.
func parseTree(doc []byte) (_ *node, line int, err error) {
	p := &unstable.Parser{}
	p.Reset(doc)
	b := &treeBuilder{lines: linesOf(doc)}
	root := newTable(1, aHeader)
	current := root
	for b.wrong == 0 && p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			current = b.header(root, e.Key())
		case unstable.ArrayTable:
			current = b.item(root, e.Key())
		case unstable.KeyValue:
			b.set(current, e)
		}
	}
	var syntax *unstable.ParserError
	if errors.As(p.Error(), &syntax) {
		b.refuse(b.lines.of(p.Range(syntax.Highlight)))
	}
	if b.wrong > 0 || p.Error() != nil {
		return nil, b.wrong, errors.New("not valid TOML: a missing or extra quote, bracket or comma, or a key given twice")
	}
	return root, 0, nil
}

// find returns the node at path, or the last one on the way to it.
func (n *node) find(path []string) *node {
	for _, name := range path {
		next := n.table[name]
		if n.kind == unstable.Array {
			var i int
			if _, err := fmt.Sscan(name, &i); err == nil && i < len(n.items) {
				next = n.items[i]
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return n
}
