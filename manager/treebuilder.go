package manager

import (
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// origin says what made a node, and so what may still be added to it.
type origin uint8

const (
	aValue  origin = iota // a scalar, an array or an inline table: nothing
	aPath                 // a header that goes on below it: a header of its own, and more below it
	aHeader               // its own header: more below it, by headers
	aKey                  // a dotted key: more below it
	aList                 // [[header]]: an item
)

// treeBuilder makes a tree of what the parser reads. TOML's rule that nothing is given twice is its
// business: go-toml's own check looks at everything before for each key.
type treeBuilder struct {
	lines lines
	wrong int // the first line that is no TOML, 0 if there is none
}

func (b *treeBuilder) refuse(line int) {
	if b.wrong == 0 {
		b.wrong = line
	}
}

// header returns the table that [key] begins.
func (b *treeBuilder) header(root *node, key unstable.Iterator) *node {
	parent, name, line := b.follow(root, key, aPath)
	switch c := parent.table[name]; {
	case c == nil:
		parent.put(name, newTable(line, aHeader))
	case c.from == aPath:
		c.from = aHeader
	default:
		b.refuse(line)
	}
	return parent.table[name]
}

// item returns the table that [[key]] begins.
func (b *treeBuilder) item(root *node, key unstable.Iterator) *node {
	parent, name, line := b.follow(root, key, aPath)
	list := parent.table[name]
	if list == nil {
		list = &node{line: line, kind: unstable.Array, from: aList}
		parent.put(name, list)
	}
	if list.from != aList {
		b.refuse(line)
	}
	item := newTable(line, aHeader)
	list.items = append(list.items, item)
	return item
}

// set puts the value of a key, which may be dotted, below n.
func (b *treeBuilder) set(n *node, kv *unstable.Node) {
	parent, name, line := b.follow(n, kv.Key(), aKey)
	if parent.table[name] != nil {
		b.refuse(line)
	}
	parent.put(name, b.value(kv.Value(), line))
}

// follow goes down a key to the table of its last part, and makes the tables on its way.
func (b *treeBuilder) follow(n *node, key unstable.Iterator, from origin) (parent *node, name string, line int) {
	for key.Next() {
		k := key.Node()
		name, line = string(k.Data), b.lines.of(k.Raw)
		if !key.IsLast() {
			n = b.below(n, name, line, from)
		}
	}
	return n, name, line
}

// below returns the table called name in n, or in the last item of the list called so.
func (b *treeBuilder) below(n *node, name string, line int, from origin) *node {
	c := n.table[name]
	switch {
	case c == nil:
		c = newTable(line, from)
		n.put(name, c)
	case c.from == aValue, from == aKey && c.from != aKey:
		b.refuse(line)
		c = newTable(line, from)
	case c.from == aList:
		c = c.items[len(c.items)-1]
	}
	return c
}

func (b *treeBuilder) value(v *unstable.Node, line int) *node {
	n := &node{line: line, kind: v.Kind}
	switch v.Kind {
	case unstable.InlineTable:
		n = newTable(line, aValue)
		for it := v.Children(); it.Next(); {
			b.set(n, it.Node())
		}
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			item := it.Node()
			at := line
			if item.Raw.Length > 0 {
				at = b.lines.of(item.Raw)
			}
			n.items = append(n.items, b.value(item, at))
		}
	default:
		n.text = string(v.Data)
		if v.Kind != unstable.String && !isScalar(n.text) {
			b.refuse(line)
		}
	}
	return n
}

// isScalar tells whether text is a number, a date or a boolean: the parser only looks where it ends.
func isScalar(text string) bool {
	if text == "true" || text == "false" {
		return true
	}
	var doc map[string]any
	return toml.Unmarshal([]byte("v = "+text), &doc) == nil
}
