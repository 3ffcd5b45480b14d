package report_test

import (
	"bytes"
	"errors"
	"log"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestSectionIsMarkdown(t *testing.T) {
	s := &report.Section{Title: "Routing", About: []string{"One.", "Two."}}
	costs := s.Table("Costs", "library", "ns", "Δ")
	costs.Add("Bun", 120, "-")
	costs.Add("a | b\nc", 7, "⏎✓")
	s.Bar("added", "at most 60 ns", "41 ns", true)
	s.Bar("allocations", "0", "1", false)
	s.Note("%d rounds", 9)

	const want = `## Routing

One.

Two.

**Costs**

| library  |  ns |   Δ |
| -------- | ---:| ---:|
| Bun      | 120 |   - |
| a \| b c |   7 |  ⏎✓ |

| bar         |        wanted | measured |            |
| ----------- | -------------:| --------:| ----------:|
| added       | at most 60 ns |    41 ns |        met |
| allocations |             0 |        1 | **missed** |

- 9 rounds

`
	var b strings.Builder
	n, err := s.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, want, b.String())
	assert.EqualValues(t, len(want), n)
}

// TestTablesAreAligned: whatever is in the cells, a table has lines of one width.
func TestTablesAreAligned(t *testing.T) {
	s := &report.Section{}
	table := s.Table("", "a", "a long column | of text", "")
	table.Add("", "x", "über\nzwei")
	table.Add("|||", "", strings.Repeat("✗", 9))
	var b strings.Builder
	_, err := s.WriteTo(&b)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(strings.TrimPrefix(b.String(), "## \n\n")), "\n")
	require.Len(t, lines, 4)
	for _, line := range lines {
		assert.Equal(t, utf8.RuneCountInString(lines[0]), utf8.RuneCountInString(line), line)
		columns := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		assert.Equal(t, 4, columns, line)
	}
}

func TestAddWantsACellForEachColumn(t *testing.T) {
	table := new(report.Section).Table("Costs", "a", "b")
	assert.PanicsWithValue(t, `report: table "Costs" has 2 columns, not 1`, func() { table.Add("a") })
	assert.Panics(t, func() { table.Add("a", "b", "c") })
	assert.Empty(t, table.Rows)
}

func TestRunLogs(t *testing.T) {
	new(report.Run).Printf("nobody hears %s", "this")
	var b bytes.Buffer
	(&report.Run{Log: log.New(&b, "", 0)}).Printf("%d of %d", 1, 2)
	assert.Equal(t, "1 of 2\n", b.String())
}

func TestPage(t *testing.T) {
	first, second := &report.Section{Title: "First"}, &report.Section{Title: "Second"}
	first.Bar("stale reads", "0", "0", true)
	second.Bar("p99", "1.5×", "1.7×", false)
	p := &report.Page{
		Date: time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", 3600)), Command: "go run . -only first", Took: 61_400 * time.Millisecond,
		Sections: []*report.Section{first, second}, Versions: []report.Version{{Name: "PostgreSQL", Version: "15.18"}},
	}
	page := text(t, p)
	for _, cell := range []string{"2026-03-01 22:30 UTC", "`go run . -only first`", "1m1s", "PostgreSQL", "15.18"} {
		assert.Contains(t, page, " "+cell+" ")
	}
	assert.NotContains(t, page, "A quick run")
	summary, rest, found := strings.Cut(page, "## First")
	require.True(t, found)
	assert.Contains(t, rest, "## Second")
	for _, bar := range []string{"stale reads", "p99", "**missed**"} {
		assert.Contains(t, summary, bar, "the bars of all sections come before the first")
	}

	p.Quick, p.Sections = true, nil
	page = text(t, p)
	assert.Contains(t, page, "A quick run")
	assert.NotContains(t, page, "held to", "no bars, no table of them")
}

func TestPageSaysThatItWasNotWritten(t *testing.T) {
	_, err := new(report.Page).WriteTo(full{})
	assert.ErrorIs(t, err, errFull)
	_, err = new(report.Section).WriteTo(full{})
	assert.ErrorIs(t, err, errFull)
}

func text(t *testing.T, p *report.Page) string {
	t.Helper()
	var b strings.Builder
	n, err := p.WriteTo(&b)
	require.NoError(t, err)
	assert.EqualValues(t, b.Len(), n)
	return b.String()
}

var errFull = errors.New("no space left")

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
