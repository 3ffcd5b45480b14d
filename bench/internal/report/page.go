package report

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// A Page is the whole of the results.
type Page struct {
	Date     time.Time
	Commit   string        // the state of the library, see Commit
	Command  string        // what was typed to make it
	Took     time.Duration // the whole run
	Sections []*Section
	Quick    bool
	Versions []Version // of servers, besides what the program was built from
}

// A Version is that of a server or a library.
type Version struct{ Name, Version string }

// compared are the modules whose versions decide the figures.
var compared = []string{
	"github.com/uptrace/bun", "github.com/uptrace/bun/driver/pgdriver", "github.com/go-sql-driver/mysql", "modernc.org/sqlite",
	"github.com/uptrace/bun/extra/bunexp", "gorm.io/gorm", "gorm.io/plugin/dbresolver", "xorm.io/xorm", "github.com/bxcodec/dbresolver/v2",
}

// WriteTo writes the page as Markdown.
func (p *Page) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	b.WriteString("# Results\n\nWritten by `make bench`; no figure is typed by hand. What each part does is in its own words below; ")
	b.WriteString("ratios within a table compare things that ran side by side, and are what to look at: absolute times are this machine's.\n\n")
	if p.Quick {
		b.WriteString("**A quick run: it shows that the benchmarks work. Its figures mean little.**\n\n")
	}
	p.setting().write(&b)
	if bars := p.bars(); len(bars.Rows) > 0 {
		bars.write(&b)
	}
	for _, s := range p.Sections {
		if _, err := s.WriteTo(&b); err != nil {
			return 0, err
		}
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (p *Page) setting() *Table {
	t := &Table{Columns: []string{"setting", "value"}}
	t.Add("date", p.Date.UTC().Format("2006-01-02 15:04 MST"))
	t.Add("command", "`"+p.Command+"`")
	t.Add("took", p.Took.Round(time.Second))
	t.Add("bindery", p.Commit)
	t.Add("machine", machine()+", "+memory())
	t.Add("system", fmt.Sprintf("%s/%s, %s", runtime.GOOS, runtime.GOARCH, runtime.Version()))
	for _, v := range append(modules(), p.Versions...) {
		t.Add(v.Name, v.Version)
	}
	return t
}

// bars gathers the bars of all sections.
func (p *Page) bars() *Table {
	t := &Table{Title: "What the library is held to", Columns: []string{"bar", "wanted", "measured", ""}}
	for _, s := range p.Sections {
		for _, bar := range s.Bars {
			t.Add(bar.What, bar.Want, bar.Got, verdict(bar.Met))
		}
	}
	return t
}

func modules() []Version {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var all []Version
	for _, dep := range info.Deps {
		if slices.Contains(compared, dep.Path) {
			all = append(all, Version{dep.Path, dep.Version})
		}
	}
	return all
}

// Commit says which state of the library is measured. Ask before anything is written.
func Commit() string {
	git := func(args ...string) string {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	at := git("log", "-1", "--format=%h of %cs")
	if at == "" {
		return "not known: not a git checkout"
	}
	if git("status", "--porcelain", "--untracked-files=no", "--", ".", "..") != "" {
		at += ", with changes"
	}
	return at
}

func machine() string { return fmt.Sprintf("%s, %d cores", processor(), runtime.NumCPU()) }

func processor() string { return field("/proc/cpuinfo", "model name", runtime.GOARCH) }

func memory() string {
	var kB float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal", ""), "%f kB", &kB); err != nil {
		return "memory not known"
	}
	return fmt.Sprintf("%.0f GiB", kB/(1<<20))
}

// field returns the value of a line "name : value" of a file of the kernel, else other.
func field(file, name, other string) string {
	f, err := os.Open(file)
	if err != nil {
		return other
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return other
}
