package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// patienceOfRound bounds one look of status at all servers.
const patienceOfRound = 15 * time.Second

func (a *app) statusCommand() *cobra.Command {
	var once bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Follow the servers: state, serving, lag",
		Long: `status asks every server again and again. On a terminal it shows a table that stays in place; elsewhere it writes a line for each engine and look,
with --json an object. It goes on until Ctrl-C; --once looks once. Whether what it shows is well is for check to say: status exits with 0 after --once.

POOL is how many connections a program with this configuration may have to the server: how many one has is known to that program alone. --timeout
bounds each look (15s).`,
		Example: "  bindery status\n  bindery status --interval 10s --json\n  bindery status --once --bind accounts",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if interval < 100*time.Millisecond {
			return fmt.Errorf("--interval must be 100ms or more")
		}
		round := patienceOfRound
		if a.timeout > 0 {
			round = a.timeout
		}
		err := a.follow(cmd.Context(), once, interval, round)
		var f *failure
		if err != nil && !errors.As(err, &f) {
			err = &failure{exitFailed, err}
		}
		return err
	}
	cmd.Flags().BoolVar(&once, "once", false, "look once")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "the `time` between two looks")
	a.takesBinds(cmd, "else all")
	return cmd
}

// follow looks until the context ends.
func (a *app) follow(ctx context.Context, once bool, interval, round time.Duration) (err error) {
	m, _, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		looking, cancel := context.WithTimeout(ctx, round)
		r := m.Check(looking)
		cancel()
		if ctx.Err() != nil {
			return nil // what was asked last was cut off
		}
		if err := a.showStatus(m, r, once); err != nil || once {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// An engineStatus is one engine at one moment.
type engineStatus struct {
	Bind     string        `json:"bind"`
	Engine   string        `json:"engine"`
	Role     string        `json:"role"`
	State    manager.State `json:"state,omitempty"`
	Serving  *bool         `json:"serving,omitempty"` // of readers
	Lag      *float64      `json:"lag_seconds,omitempty"`
	Version  string        `json:"version,omitempty"`
	Pool     int           `json:"pool_max_open"`
	Why      string        `json:"why,omitempty"` // what is wrong, or why it does not serve
	Drained  bool          `json:"drained,omitempty"`
	showsLag string
}

func statusOf(m *manager.DBManager, r *manager.Report) (list []engineStatus) {
	pools := make(map[string]int)
	for _, b := range m.Binds() {
		for _, e := range append([]*binds.Engine{b.WriterEngine()}, b.ReaderEngines()...) {
			pools[e.Name()] = e.Pool().MaxOpen
		}
	}
	for i := range r.Binds {
		for j := range r.Binds[i].Engines {
			e := &r.Binds[i].Engines[j]
			s := engineStatus{
				Bind: r.Binds[i].Bind.String(), Engine: e.Engine, Role: e.Role.String(), State: e.State, Version: e.Version,
				Pool: pools[e.Engine], Drained: e.Drained, Why: e.NotServing, showsLag: "-",
			}
			if e.Role == binds.Reader {
				s.Serving = &e.Serving
			}
			if e.LagKnown {
				seconds := e.Lag.Seconds()
				s.Lag, s.showsLag = &seconds, e.Lag.Round(time.Millisecond).String()
			}
			if e.RoleErr != nil {
				s.Why = e.RoleErr.Error()
			}
			if e.Err != nil {
				s.Why, s.State = e.Err.Error(), ""
			}
			list = append(list, s)
		}
	}
	return list
}

func (s *engineStatus) cells() []string {
	state, serving, pool := string(s.State), "-", strconv.Itoa(s.Pool)
	switch {
	case state == "" && s.Why != "":
		state = "down"
	case state == "":
		state = "up" // its driver cannot tell what it is
	}
	if s.Serving != nil {
		serving = map[bool]string{true: "yes", false: "no"}[*s.Serving]
	}
	if s.Pool < 0 {
		pool = "no bound"
	}
	return []string{s.Engine, s.Role, state, serving, s.showsLag, s.Version, pool, s.Why}
}

var statusHeader = []string{"ENGINE", "ROLE", "STATE", "SERVING", "LAG", "VERSION", "POOL", ""}

func (a *app) showStatus(m *manager.DBManager, r *manager.Report, once bool) error {
	list := statusOf(m, r)
	if a.json {
		return a.writeJSON(struct {
			At      time.Time      `json:"at"`
			OK      bool           `json:"ok"`
			Ready   bool           `json:"ready"`
			Engines []engineStatus `json:"engines"`
		}{r.At, r.Err() == nil, r.Ready() == nil, list})
	}
	table := !once && isTerminal(a.out)
	var rows [][]string
	if once || table {
		rows = append(rows, statusHeader)
	}
	at := r.At.Format(time.RFC3339)
	for i := range list {
		cells := list[i].cells()
		if !once && !table {
			cells = append([]string{at}, cells...)
		}
		rows = append(rows, cells)
	}
	var text bytes.Buffer
	if table {
		text.WriteString("\x1b[H\x1b[2J" + at + ", until Ctrl-C\n\n") // from the upper left corner, on an empty screen
	}
	if err := writeTable(&text, rows); err != nil {
		return err
	}
	_, err := io.Copy(a.out, &text)
	return err
}
