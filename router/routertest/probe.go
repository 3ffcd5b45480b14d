package routertest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

// probeQuery is answered by the connection itself, in either role.
const probeQuery = "routertest probe"

var probeColumns = []string{"server", "history", "timeline", "primary", "position", "doubt", "view", "peer"}

var _ binds.Positioner = (*Cluster)(nil)

// Probe asks a server who and how far it is. Doubt comes back as a new error with the text of the one
// that [Server.SetDoubt] was given.
func (c *Cluster) Probe(ctx context.Context, ask binds.Ask) (binds.Probe, error) {
	row, err := ask(ctx, probeQuery)
	if err != nil {
		return binds.Probe{}, err
	}
	if len(row) != len(probeColumns) {
		return binds.Probe{}, fmt.Errorf("routertest: probe: %d columns instead of %d", len(row), len(probeColumns))
	}
	cluster, _, _ := strings.Cut(row[1], ".")
	timeline, err := strconv.ParseUint(row[2], 10, 64)
	if err != nil {
		return binds.Probe{}, fmt.Errorf("routertest: probe: %w", err)
	}
	primary, err := strconv.ParseBool(row[3])
	if err != nil {
		return binds.Probe{}, fmt.Errorf("routertest: probe: %w", err)
	}
	position, err := c.ParsePosition(row[4])
	if err != nil {
		return binds.Probe{}, err
	}
	probe := binds.Probe{
		Server: row[0], History: row[1], Cluster: cluster, Timeline: timeline, Primary: primary, Position: position,
	}
	if name, value, ok := strings.Cut(row[6], "="); ok {
		probe.View = binds.View{{Name: name, Value: value}}
	}
	if row[5] != "" {
		probe.Doubt = errors.New(row[5])
	}
	if row[7] != "" {
		probe.Peer, probe.Primary, probe.Position = true, true, nil
		probe.Cluster, probe.Timeline = "", 0
	}
	if row[7] == "false" {
		return binds.Probe{}, &binds.UnprovedError{Probe: probe, Err: errors.New("routertest: it does not show all that was committed")}
	}
	return probe, nil
}

// SetDoubt makes the server's probes say that its position proves nothing, and why; nil takes it back.
func (s *Server) SetDoubt(err error) {
	defer s.lock()()
	s.doubt = err
}

// SetSetting lets the server's probes tell of a setting that changes what a SELECT shows, see [binds.View]. An empty name ends
// that.
func (s *Server) SetSetting(name, value string) {
	defer s.lock()()
	s.setting = ""
	if name != "" {
		s.setting = name + "=" + value
	}
}

// Probes returns how many probes the server has answered.
func (s *Server) Probes() int {
	defer s.lock()()
	return s.probes
}

// Position returns how many entries the server's log has now. It does not count as a probe.
func (s *Server) Position() Position {
	defer s.lock()()
	s.catchUpLocked()
	return s.positionLocked()
}

// History returns what the server's probes give as their history: the cluster and its timeline.
func (s *Server) History() string {
	defer s.lock()()
	return s.history
}

func (s *Server) positionLocked() Position { return Position(len(s.log)) }

// probe answers a probe on the server.
func (c *conn) probe(ctx context.Context) (*answer, error) {
	s := c.server
	if err := c.arrive(ctx); err != nil {
		return nil, err
	}
	peer := ""
	if s.cluster.peers {
		shows, err := c.showAllLocked(ctx)
		if err != nil {
			return nil, err
		}
		peer = strconv.FormatBool(shows)
	}
	defer s.cluster.mu.Unlock()
	s.catchUpLocked()
	s.probes++
	doubt := ""
	if s.doubt != nil {
		doubt = s.doubt.Error()
	}
	return &answer{columns: probeColumns, rows: [][]driver.Value{{
		s.identityLocked(), s.history, strconv.Itoa(s.timeline), strconv.FormatBool(s.upstream == nil),
		s.positionLocked().String(), doubt, s.setting, peer,
	}}}, nil
}
