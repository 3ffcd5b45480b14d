package manager

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

var checkHeader = []string{"ENGINE", "STATUS", "SERVER", "VERSION", "FRESHNESS", "LAG"}

// String returns a table with a line for each engine, below it, indented, what is wrong or could be
// better, and below the engines of a bind what is wrong with its tables.
func (r Report) String() string {
	rows := [][]string{checkHeader}
	for i := range r.Binds {
		for j := range r.Binds[i].Engines {
			rows = append(rows, r.Binds[i].Engines[j].cells())
		}
	}
	widths := make([]int, len(checkHeader))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(cells []string) {
		var padded []string
		for i, cell := range cells {
			padded = append(padded, fmt.Sprintf("%-*s", widths[i], cell))
		}
		b.WriteString(strings.TrimRight(strings.Join(padded, "  "), " ") + "\n")
	}
	note := func(text string) {
		b.WriteString("    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n")
	}
	if len(rows) > 1 {
		line(rows[0])
	}
	n := 1
	for i := range r.Binds {
		bind := &r.Binds[i]
		for j := range bind.Engines {
			line(rows[n])
			n++
			for _, text := range bind.Engines[j].notes() {
				note(text)
			}
		}
		for j := range bind.Missing {
			b.WriteString(bind.Missing[j].Error() + "\n")
		}
		for j := range bind.Columns {
			b.WriteString(bind.Columns[j].Error() + "\n")
		}
		for j := range bind.Warnings {
			b.WriteString("warning: " + bind.Warnings[j].Error() + "\n")
		}
		for _, err := range bind.Errs {
			b.WriteString(err.Error() + "\n")
		}
	}
	for _, err := range r.Errs {
		b.WriteString(err.Error() + "\n")
	}
	return b.String()
}

func (r *EngineReport) cells() []string {
	lag := ""
	if r.LagKnown {
		lag = r.Lag.Round(time.Millisecond).String()
	}
	cells := []string{r.Engine, string(r.Status()), string(r.State), r.Version, string(r.Freshness), lag}
	for i, cell := range cells {
		if cell == "" {
			cells[i] = "-"
		}
	}
	return cells
}

func (r *EngineReport) notes() []string {
	var list []string
	for _, err := range []error{r.Err, r.RoleErr, r.Doubt} {
		if err != nil {
			list = append(list, err.Error())
		}
	}
	if r.NotServing != "" && r.RoleErr == nil && (r.Doubt == nil || !strings.Contains(r.NotServing, r.Doubt.Error())) {
		list = append(list, "no plain reads go there: "+r.NotServing)
	}
	if r.Pooler != "" {
		list = append(list, "reached through "+r.Pooler)
	}
	if r.Advice != "" {
		list = append(list, r.Advice)
	}
	for _, text := range r.Warnings {
		list = append(list, "warning: "+text)
	}
	return list
}
