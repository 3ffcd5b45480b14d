package slow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/integration"
)

const (
	replicas = 3
	items    = 1000
	// connections is more than all pools together have, those included whose clients have given them up
	// while a proxy held their bytes back.
	connections = "1000"
)

// servers are a primary and its replicas, each behind a proxy.
type servers struct {
	real  *peers.Real
	ports map[int]int // what a server says its port is, to which replica it is
}

var _ ward = (*servers)(nil)

func start(ctx context.Context) (*servers, error) {
	real, err := peers.StartReal(ctx, dialect.PG, replicas, integration.WithSetting("max_connections", connections))
	if err != nil {
		return nil, err
	}
	s := &servers{real: real, ports: map[int]int{real.Servers.Primary.Port(): fromPrimary}}
	for i, r := range real.Servers.Replicas {
		s.ports[r.Port()] = i
	}
	if err := s.createItems(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// createItems makes items a view whose name column says which server answers.
func (s *servers) createItems(ctx context.Context) error {
	if err := s.real.CreateItems(ctx, items); err != nil {
		return err
	}
	for _, text := range []string{
		"ALTER TABLE items RENAME TO stock",
		"CREATE VIEW items AS SELECT id, owner, version, CAST(inet_server_port() AS VARCHAR) AS name FROM stock",
		"ALTER VIEW items OWNER TO app",
		"ANALYZE stock",
	} {
		if err := s.real.Servers.Primary.Exec(ctx, text); err != nil {
			return err
		}
	}
	return s.real.Servers.WaitReplayed(ctx)
}

// answered returns which replica has that port, or fromPrimary.
func (s *servers) answered(port int) (int, error) {
	i, ok := s.ports[port]
	if !ok {
		return fromNobody, fmt.Errorf("no server has the port %d", port)
	}
	return i, nil
}

// Delay makes a replica's answers come d later.
func (s *servers) Delay(replica int, d time.Duration) { s.real.Proxies[1+replica].Delay(d) }

// Freeze lets nothing come from a replica.
func (s *servers) Freeze(replica int) { s.real.Proxies[1+replica].Freeze() }

// Thaw ends that.
func (s *servers) Thaw(replica int) { s.real.Proxies[1+replica].Thaw() }

// Close ends them.
func (s *servers) Close() error { return s.real.Close() }
