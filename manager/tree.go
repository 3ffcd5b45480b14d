package manager

import (
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// node is a value of a TOML file that knows its line, which decoding into structs forgets.
type node struct {
	line  int
	kind  unstable.Kind // Table, Array or a scalar's
	text  string        // a scalar, unquoted
	names []string      // a table's keys in the order of the file
	table map[string]*node
	items []*node // an array's
}

func newTable(line int) *node {
	return &node{line: line, kind: unstable.Table, table: map[string]*node{}}
}

// parseTree reads a TOML document. The error carries the line, and nothing of the line's text: it
// may be a URI whose quotes were forgotten.
func parseTree(doc []byte) (_ *node, line int, err error) {
	var whole map[string]any // finds what the parser below does not look for, such as a key given twice
	if err := toml.Unmarshal(doc, &whole); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, _ = de.Position()
		}
		return nil, line, errors.New("not valid TOML: a missing or extra quote, bracket or comma, or a key given twice")
	}
	p := &unstable.Parser{}
	p.Reset(doc)
	root := newTable(1)
	current := root
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			current = descend(p, root, e.Key())
		case unstable.ArrayTable:
			list := descend(p, root, e.Key())
			list.kind = unstable.Array
			current = newTable(list.line)
			list.items = append(list.items, current)
		case unstable.KeyValue:
			setValue(p, current, e)
		}
	}
	return root, 0, p.Error()
}

// descend goes down a dotted key, making tables on its way.
func descend(p *unstable.Parser, n *node, key unstable.Iterator) *node {
	for key.Next() {
		k := key.Node()
		if n.kind == unstable.Array && len(n.items) > 0 {
			n = n.items[len(n.items)-1]
		}
		n = n.child(string(k.Data), p.Shape(k.Raw).Start.Line)
	}
	return n
}

func (n *node) child(name string, line int) *node {
	if c := n.table[name]; c != nil {
		return c
	}
	c := newTable(line)
	n.put(name, c)
	return c
}

func (n *node) put(name string, c *node) {
	if n.table[name] == nil {
		n.names = append(n.names, name)
	}
	n.table[name] = c
}

func setValue(p *unstable.Parser, at *node, kv *unstable.Node) {
	var last *unstable.Node
	key := kv.Key()
	for key.Next() {
		if last != nil {
			at = at.child(string(last.Data), p.Shape(last.Raw).Start.Line)
		}
		last = key.Node()
	}
	at.put(string(last.Data), value(p, kv.Value(), p.Shape(last.Raw).Start.Line))
}

func value(p *unstable.Parser, v *unstable.Node, line int) *node {
	n := &node{line: line, kind: v.Kind}
	switch v.Kind {
	case unstable.InlineTable:
		n = newTable(line)
		for it := v.Children(); it.Next(); {
			setValue(p, n, it.Node())
		}
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			item := it.Node()
			at := line
			if item.Raw.Length > 0 {
				at = p.Shape(item.Raw).Start.Line
			}
			n.items = append(n.items, value(p, item, at))
		}
	default:
		n.text = string(v.Data)
	}
	return n
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
