package manager

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// lineOf returns the line where the value at path begins or, if the document has none, the nearest table
// or list above it. The items of a list are called "0", "1", ….
//
// The decoder tells where a key stands when its value cannot be decoded. Only a mistake asks: each answer
// costs a pass over the text, and one over the list where it stands in one.
func (d *document) lineOf(path []string) int {
	value, known := d.find(path)
	above := path[:known]
	if known < len(path) && d.isList(above) {
		if item, name := d.item(above, value, path[known]); item != nil {
			return item.lineOf(slices.Concat(name, path[known+1:]))
		}
	}
	if offset, ok := d.offset(value); ok {
		return d.line + strings.Count(d.text[:offset], "\n")
	}
	if first := d.firstBelow(above); known > 0 && first != nil {
		return d.lineOf(first)
	}
	return d.line
}

// find goes down a path through tables, and returns the value where it ends and how many names led there.
func (d *document) find(path []string) (value toml.Primitive, known int) {
	value = d.root
	for i, name := range path {
		var table map[string]toml.Primitive
		if d.meta.PrimitiveDecode(value, &table) != nil {
			return value, i
		}
		below, ok := table[name]
		if !ok {
			return value, i
		}
		value = below
	}
	return value, len(path)
}

func (d *document) isList(path []string) bool {
	kind := d.meta.Type(path...)
	return kind == "Array" || kind == "ArrayHash"
}

// firstBelow returns the first key of the file that goes on below path, nil if there is none.
func (d *document) firstBelow(path []string) toml.Key {
	for _, key := range d.meta.Keys() {
		if len(key) > len(path) && slices.Equal(key[:len(path)], path) {
			return key
		}
	}
	return nil
}

// offset returns where a value, or the last header of a list of tables, begins. A table that only the keys
// below it name has no place of its own.
func (d *document) offset(value toml.Primitive) (int, bool) {
	var here toml.ParseError
	if !errors.As(d.meta.PrimitiveDecode(value, undecodable{}), &here) || here.Position.Line == 0 {
		return 0, false
	}
	return here.Position.Start, true
}

// undecodable is what no value can be decoded into.
type undecodable struct{}

func (undecodable) UnmarshalTOML(any) error { return errors.New("where is it?") }

// item returns an item of a list as a document of its own, and the path of its value there: what the
// decoder knows of places stops at lists.
func (d *document) item(list []string, value toml.Primitive, name string) (*document, []string) {
	i, err := strconv.Atoi(name)
	if err != nil {
		return nil, nil
	}
	if d.meta.Type(list...) == "ArrayHash" {
		return d.headedItem(list, i)
	}
	begin := d.afterBracket(value)
	end := itemEnd(d.text, begin)
	for ; i > 0 && end < len(d.text); i-- {
		begin = end + 1
		end = itemEnd(d.text, begin)
	}
	begin += len(d.text[begin:]) - len(trimComments(d.text[begin:]))
	if begin > end {
		return nil, nil
	}
	return d.part(begin, "v = "+d.text[begin:end]), []string{"v"}
}

// afterBracket returns where the first item of a list may begin. The place of a list is already that, but in
// an inline table, where it is that of its key.
func (d *document) afterBracket(list toml.Primitive) int {
	offset, _ := d.offset(list)
	if offset > 0 && d.text[offset-1] == '[' {
		return offset
	}
	for i, c := range d.text[offset:] {
		if c != '[' {
			continue
		}
		var content toml.Primitive
		if _, err := toml.Decode(d.text[offset:offset+i]+"0", &content); err == nil {
			return offset + i + 1
		}
	}
	return len(d.text)
}

// itemEnd returns the offset of the comma or bracket after the item of a list that begins at begin: what
// stands before it is a list of one item.
func itemEnd(text string, begin int) int {
	for end := begin; end < len(text); end++ {
		if text[end] != ',' && text[end] != ']' {
			continue
		}
		var list struct{ V []toml.Primitive }
		if _, err := toml.Decode("v = ["+text[begin:end]+"]", &list); err == nil && len(list.V) == 1 {
			return end
		}
	}
	return len(text)
}

// trimComments returns text without the white space and comments that it begins with.
func trimComments(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		if !strings.HasPrefix(text, "#") {
			return text
		}
		_, text, _ = strings.Cut(text, "\n")
	}
}

// headedItem returns the item that the i-th line [[list]] begins, as a table.
func (d *document) headedItem(list []string, i int) (*document, []string) {
	var begin, content, offset int
	for line := range strings.Lines(d.text) {
		if isHeaderOf(list, line) {
			if i < 0 {
				return d.part(begin, "["+toml.Key(list).String()+"]\n"+d.text[content:offset]), list
			}
			begin, content = offset, offset+len(line)
			i--
		}
		offset += len(line)
	}
	if i >= 0 {
		return nil, nil
	}
	return d.part(begin, "["+toml.Key(list).String()+"]\n"+d.text[content:]), list
}

// isHeaderOf tells whether a line is [[list]].
func isHeaderOf(list []string, line string) bool {
	if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "[[") {
		return false
	}
	var content toml.Primitive
	header, err := toml.Decode(line, &content)
	return err == nil && slices.Equal(header.Keys()[0], list)
}

// part returns a text as a document whose first line is that of offset in d, nil if it is no TOML.
func (d *document) part(offset int, text string) *document {
	p := &document{text: text, line: d.line + strings.Count(d.text[:offset], "\n")}
	var err error
	if p.meta, err = toml.Decode(text, &p.root); err != nil {
		return nil
	}
	return p
}
