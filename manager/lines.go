package manager

import (
	"bytes"
	"slices"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines are the offsets of a document's line ends, ascending. The parser's own Shape counts them from
// the top of the file for each value that asks.
type lines []uint32

func linesOf(doc []byte) lines {
	ends := make(lines, 0, bytes.Count(doc, []byte("\n")))
	for i, c := range doc {
		if c == '\n' {
			ends = append(ends, uint32(i))
		}
	}
	return ends
}

// of returns the line, the first being 1, in which r begins.
func (l lines) of(r unstable.Range) int {
	above, _ := slices.BinarySearch(l, r.Offset)
	return above + 1
}
