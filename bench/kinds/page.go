package kinds

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// page is the section while it is written.
type page struct {
	*report.Section
	summary *report.Table
	kinds   map[string]bool // ways and names, of both databases
	wrong   map[string]int  // statements misrouted, by library
	given   int             // to each library
	asText  map[string][]string
	ours    map[verdict][]string // statements, those of both databases once
}

func newSection() *page {
	p := &page{
		Section: &report.Section{Title: "Where each kind of statement goes"},
		kinds:   map[string]bool{}, wrong: map[string]int{}, asText: map[string][]string{}, ours: map[verdict][]string{},
	}
	p.summary = p.Table("In short: statements by what became of them", "database, library",
		"right", "needlessly on the primary", "misrouted, an error", "misrouted, silently", "recovered", "refused by the library")
	return p
}

// add writes what the libraries did with the statements of a database.
func (p *page) add(d database, outcomes []outcome) {
	columns := []string{d.name, "given as", "may run on"}
	for _, o := range outcomes {
		columns = append(columns, o.library)
		p.count(d, o)
	}
	p.given += len(d.statements)
	t := p.Table("", columns...)
	for i, s := range d.statements {
		p.kinds[string(s.by)+" "+s.name] = true
		row := []any{s.name + ": " + code(s.text), s.by, s.place()}
		for _, o := range outcomes {
			row = append(row, marks[o.results[i].verdict])
		}
		t.Add(row...)
	}
}

// count adds a line to the summary, and gathers what the notes tell.
func (p *page) count(d database, o outcome) {
	n := map[verdict]int{}
	for i, res := range o.results {
		s := &d.statements[i]
		n[res.verdict]++
		if o.library == ours {
			p.ours[res.verdict] = with(p.ours[res.verdict], code(s.text)+" ("+string(s.by)+")")
		}
		if s.by == byBuilder && !res.built {
			p.asText[o.library] = append(p.asText[o.library], s.name+" ("+d.name+")")
		}
	}
	p.wrong[o.library] += n[failed] + n[silent]
	p.summary.Add(d.name+", "+o.library, n[right], n[needless], n[failed], n[silent], n[recovered], n[refused])
}

// with adds a name to a list that does not have it yet.
func with(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// done returns the section.
func (p *page) done() *report.Section {
	p.About = []string{
		fmt.Sprintf("%d kinds of statements, each given %d times to each library that knows replicas, with a primary and %d replicas that run nothing and note what "+
			"reaches them; a replica refuses what a real one refuses. Each library is set up as its documentation says and has its defaults. It gets each statement in the way that is "+
			"most natural in it: by its builder where it has one, else as text. Nothing is judged by reading a library's code, and no hint says where a statement "+
			"belongs.", len(p.kinds), attempts, replicas),
		"What may run where is no opinion: the tests of this part run every text that a library sent on a real standby of PostgreSQL and a real replica of MariaDB. What " +
			"they refuse belongs on the primary, and so does what they run but what counts only on the primary. Only the primary may run: " + because() + ".",
		legend(),
	}
	by := map[string]string{}
	for library, n := range p.wrong {
		by[library] = fmt.Sprint(n)
	}
	p.Headline(fmt.Sprintf("misrouted, of %d statements", p.given), by)
	wrong := append(p.ours[failed], p.ours[silent]...)
	p.Bar("statements that bindery misroutes", "0", fmt.Sprint(len(wrong)), len(wrong) == 0)
	p.Note("A read is right when at least one of its runs went to a replica; a write or a lock, when none of them did.")
	for _, library := range libraries {
		if names := p.asText[library]; len(names) > 0 && len(names) < p.builderRows() {
			p.Note("%s has no builder for, and got as text: %s.", library, strings.Join(names, ", "))
		}
	}
	if list := p.ours[needless]; len(list) > 0 {
		p.Note("Needlessly on the primary under bindery: %s. A Bun DB's own QueryContext and prepared statements run on its own pool, past every resolver; the others are not known to bindery as harmless, and what it does not know goes to the primary.",
			strings.Join(list, ", "))
	}
	if list := p.ours[recovered]; len(list) > 0 {
		p.Note("Recovered under bindery: %s. No text says that a function of the application writes. `writer_functions` names such functions, and spares the detour by a replica.", strings.Join(list, ", "))
	}
	return p.Section
}

// builderRows is how many statements of all databases have builders: a library without any builder gets
// all of them as text, which needs no note.
func (p *page) builderRows() int {
	n := 0
	for _, d := range databases() {
		for _, s := range d.statements {
			if s.by == byBuilder {
				n++
			}
		}
	}
	return n
}

func because() string {
	var all []string
	for _, r := range reasons {
		all = append(all, "*"+r.word+"*, "+r.full)
	}
	return strings.Join(all, "; ")
}

func legend() string {
	return strings.Join([]string{
		marks[right] + " right",
		marks[needless] + " needlessly on the primary: any server may run it, and no replica ever got it",
		marks[failed] + " misrouted: a replica got it and refused it, an error for the caller",
		marks[silent] + " misrouted: a replica got it and runs it, where it does not count, and nobody notices",
		marks[recovered] + " a replica refused it, and the library then ran it on the primary",
		marks[refused] + " refused by the library itself, which sent it nowhere",
	}, " · ")
}

// place says where a statement may run, and why not elsewhere.
func (s *statement) place() string {
	if s.primary == nil {
		return "any"
	}
	return "primary: " + s.primary.word
}

// code formats SQL for a cell of a table, on one line.
func code(text string) string {
	text = strings.NewReplacer("\n", "⏎", "\t", " ").Replace(text)
	if strings.Contains(text, "`") {
		return "`` " + text + " ``"
	}
	return "`" + text + "`"
}
