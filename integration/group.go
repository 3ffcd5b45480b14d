package integration

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// groupReplication is MySQL whose servers form a group with one primary, which they elect: MySQL Group Replication.
type groupReplication struct {
	*mysqlServer
	name string // a UUID
}

var _ peerSystem = (*groupReplication)(nil)

func (g *groupReplication) seed(ctx context.Context, c *Cluster) error {
	if c.options.sync > 0 {
		return errSyncPeers
	}
	return g.mysqlServer.seed(ctx, c)
}

// ports: one for the group.
func (*groupReplication) ports() int { return 1 }

func groupAddress(s *Server) string { return fmt.Sprintf("127.0.0.1:%d", s.more[0].number) }

func (g *groupReplication) command(s *Server) (string, []string) {
	var seeds []string
	for _, member := range s.cluster.servers() {
		seeds = append(seeds, groupAddress(member))
	}
	args := append(g.arguments(s), mysqlSettings...)
	return g.server, g.chosen(s, append(args,
		"--report-host=127.0.0.1", fmt.Sprintf("--report-port=%d", s.Port()),
		"--plugin-load-add=group_replication.so",
		"--group-replication-start-on-boot=OFF", // rejoin says when, and whether to found the group
		"--group-replication-group-name="+g.name,
		"--group-replication-communication-stack=XCOM", "--group-replication-ssl-mode=DISABLED",
		"--group-replication-local-address="+groupAddress(s),
		"--group-replication-group-seeds="+strings.Join(seeds, ","),
		"--group-replication-recovery-use-ssl=OFF", "--group-replication-recovery-get-public-key=ON",
		"--super-read-only=1", // until it is known to be the primary
	))
}

func randomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])  // it never fails
	b[6] = b[6]&0x0f | 0x40 // version 4 of RFC 9562
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// rejoin makes a server that was started a member of the group. The first one founds it.
func (g *groupReplication) rejoin(ctx context.Context, s *Server) error {
	start := []string{
		fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_USER='%s', SOURCE_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'",
			replicaUser, quoteMySQL(s.cluster.replicate.reveal())),
		"START GROUP_REPLICATION",
	}
	found, err := g.anyOnline(ctx, s.others())
	if err != nil {
		return err
	}
	if !found {
		start = []string{start[0], "SET GLOBAL group_replication_bootstrap_group = ON", start[1]}
	}
	err = s.exec(ctx, "", start...)
	if !found { // also after a failure: a later start must not found a second group
		err = errors.Join(err, s.exec(ctx, "", "SET GLOBAL group_replication_bootstrap_group = OFF"))
	}
	if err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		state, err := g.state(ctx, s)
		if err == nil && (state == "ERROR" || state == "OFFLINE") {
			err = fmt.Errorf("the server could not join the group: it is %s\n%s", state, s.cluster.workspace.tail(s.logPath(), 0))
		}
		return state == "ONLINE", err
	})
}

// state returns what a member is by its own account: ONLINE, RECOVERING, ERROR, OFFLINE.
func (*groupReplication) state(ctx context.Context, s *Server) (string, error) {
	return s.QueryString(ctx, `SELECT COALESCE(MAX(MEMBER_STATE), 'OFFLINE') FROM performance_schema.replication_group_members
		WHERE MEMBER_ID = @@server_uuid`)
}

func (g *groupReplication) anyOnline(ctx context.Context, servers []*Server) (bool, error) {
	for _, s := range servers {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		state, err := g.state(ctx, s)
		cancel()
		if err == nil && (state == "ONLINE" || state == "RECOVERING") {
			return true, nil
		}
		if err != nil && !errors.Is(err, ErrNotRunning) {
			return true, nil // it runs and does not answer: a second group would be worse than none
		}
	}
	return false, nil
}

// catchUp waits until s shows what every member that runs has.
func (g *groupReplication) catchUp(ctx context.Context, s *Server) error {
	for _, member := range s.others() {
		set, err := g.position(ctx, member)
		if err != nil {
			return member.failed("ask for the position of", err)
		}
		if err := poll(ctx, func() (bool, error) { return g.has(ctx, s, set) }); err != nil {
			return err
		}
	}
	return nil
}

// pause holds the lock that stops a member from committing what it receives.
func (*groupReplication) pause(ctx context.Context, s *Server) error {
	return s.hold(ctx, "FLUSH TABLES WITH READ LOCK")
}

func (*groupReplication) resume(ctx context.Context, s *Server) error {
	return s.letGo(ctx, "UNLOCK TABLES")
}

func (*groupReplication) delay(context.Context, *Server, time.Duration) error { return ErrNotPossible }
func (*groupReplication) follow(context.Context, *Server, *Server) error      { return ErrNotPossible }

// promote makes a member the group's primary: manual, section 20.5.1.1.
func (*groupReplication) promote(ctx context.Context, s *Server) error {
	uuid, err := s.QueryString(ctx, "SELECT @@server_uuid")
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "", "SELECT group_replication_set_as_primary("+quoteMySQL(uuid)+")"); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		writable, err := s.QueryString(ctx, "SELECT @@global.super_read_only = 0")
		return writable == "1", err
	})
}
