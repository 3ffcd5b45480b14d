package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show what is in force, without secrets",
		Long: `config shows every setting of every bind with the defaults filled in, and for each the line of the file where it stands, or that it is a default.
Of URIs it shows scheme, user, host, port, database and the parameters that hold no secret; passwords and keys it does not show. Mistakes in the file are told
all at once, with their lines. No server is asked.`,
		Example: "  bindery config\n  bindery config --bind accounts --json",
		Args:    cobra.NoArgs,
		RunE:    a.doing(0, a.showConfig),
	}
	a.takesBinds(cmd, "else all")
	return cmd
}

// A bindConfig is what is in force for one bind.
type bindConfig struct {
	Bind     string        `json:"bind"`
	Settings []settingJSON `json:"settings"`
	Engines  []engineBound `json:"engines"`
}

type settingJSON struct {
	Key       string `json:"key"`
	Value     any    `json:"value"` // null: not set, or a secret
	Source    string `json:"source"`
	Line      int    `json:"line,omitempty"`
	Variables string `json:"variables,omitempty"`
	Note      string `json:"note,omitempty"`
}

// An engineBound is how many connections an engine may have, as its driver bounds them.
type engineBound struct {
	Engine  string `json:"engine"`
	MaxOpen int    `json:"max_open"`
}

func (a *app) showConfig(ctx context.Context, _ []string) (err error) {
	path := a.configPath()
	settings, err := manager.ReadSettings(path)
	if err != nil {
		return a.badConfig(err)
	}
	m, meant, err := a.open(ctx, true)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	byDefault, err := m.Bind(binds.Key(""))
	if err != nil {
		return err
	}
	var list []bindConfig
	for _, b := range meant {
		c := bindConfig{Bind: b.String()}
		for _, s := range settings {
			if s.Bind != b.Key() {
				continue
			}
			j := settingJSON{Key: s.Key, Value: s.Value, Source: "default", Line: s.Line, Variables: s.Variables, Note: s.Note}
			if s.Line > 0 {
				j.Source = filepath.Base(path) + ":" + strconv.Itoa(s.Line)
			}
			c.Settings = append(c.Settings, j)
		}
		for _, e := range append([]*binds.Engine{b.WriterEngine()}, b.ReaderEngines()...) {
			c.Engines = append(c.Engines, engineBound{e.Name(), e.Pool().MaxOpen})
		}
		list = append(list, c)
	}
	if a.json {
		return a.writeIndented(struct {
			File    string       `json:"file"`
			Default string       `json:"default"`
			Binds   []bindConfig `json:"binds"`
		}{path, byDefault.String(), list})
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# %s\ndefault = %q\n", path, byDefault.String())
	for _, c := range list {
		c.write(&text)
	}
	_, err = io.WriteString(a.out, text.String())
	return err
}

// write writes a bind in the manner of TOML, with where each value comes from as a comment.
func (c *bindConfig) write(text *strings.Builder) {
	fmt.Fprintf(text, "\n[binds.%s]\n", c.Bind)
	width := 0
	var lines [][2]string
	for _, s := range c.Settings {
		var about []string
		if s.Value != nil || s.Line > 0 {
			about = append(about, s.Source)
		}
		about = append(about, s.Variables, s.Note)
		about = slices.DeleteFunc(about, func(s string) bool { return s == "" })
		line := "# " + s.Key
		if s.Value != nil {
			value, err := json.Marshal(s.Value) // which is TOML, too, for a text, a number, a boolean and a list
			if err != nil {
				value = []byte("?")
			}
			line = s.Key + " = " + strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(value))
			width = max(width, min(len(line), 32))
		}
		lines = append(lines, [2]string{line, strings.Join(about, ", ")})
	}
	for _, line := range lines {
		if strings.HasPrefix(line[0], "# ") {
			fmt.Fprintf(text, "%s: %s\n", line[0], line[1])
			continue
		}
		fmt.Fprintf(text, "%-*s # %s\n", width, line[0], line[1])
	}
	for _, e := range c.Engines {
		fmt.Fprintf(text, "# %s has %s\n", e.Engine, connections(e.MaxOpen))
	}
}

func connections(most int) string {
	switch {
	case most < 0:
		return "any number of connections"
	case most == 1:
		return "1 connection at most"
	}
	return strconv.Itoa(most) + " connections at most"
}
