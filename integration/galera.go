package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// galera is MariaDB whose servers form one cluster: each accepts writes, and all agree on a commit.
type galera struct {
	*mariadb
	provider string // libgalera_smm.so
}

var _ peerSystem = (*galera)(nil)

// seed is MariaDB's, and the beginning of a history that all members share: with it none needs a copy of
// another's data, for which the programs are often not installed. The first member makes it by a write, which tells
// its storage engine, too, where it stands.
func (g *galera) seed(ctx context.Context, c *Cluster) error {
	if c.options.sync > 0 {
		return errSyncPeers
	}
	if err := errors.Join(g.mariadb.seed(ctx, c), c.writeGaleraTransfer()); err != nil {
		return err
	}
	first, seed := c.Primary, c.workspace.path(seedDir)
	err := first.copySeed(ctx)
	if err == nil {
		err = first.boot(ctx)
	}
	if err == nil {
		err = first.exec(ctx, "", "CREATE DATABASE beginning", "DROP DATABASE beginning")
	}
	if err == nil {
		err = first.Stop(ctx)
	}
	if err == nil {
		c.seed = nil
		err = errors.Join(c.workspace.removeInside(seed), os.Rename(first.dataPath(), seed))
	}
	return err
}

const galeraStateFile = "grastate.dat" // by which a member knows where it stands

// ports: one for the group, one to receive what was missed.
func (*galera) ports() int { return 2 }

func (g *galera) command(s *Server) (string, []string) {
	args := append(g.arguments(s), mariadbLogSize, "--report-host="+s.name,
		"--binlog-format=ROW", "--log-slave-updates=1", "--innodb-autoinc-lock-mode=2",
		"--wsrep-on=ON", "--wsrep-provider="+g.provider,
		"--loose-plugin-wsrep-provider=OFF", // with it MariaDB 11.8 has no way to set gmcast.isolate
		"--wsrep-cluster-name=integration",
		"--wsrep-node-name="+s.name, "--wsrep-node-address=127.0.0.1", "--wsrep-node-incoming-address="+s.Addr(),
		"--wsrep-sst-method="+galeraTransfer,
		fmt.Sprintf("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:%d;ist.recv_addr=127.0.0.1:%d;"+
			// What has been committed since the seed must be there for a member that starts from it.
			"gcache.size=16M;gcache.keep_pages_size=1G", s.more[0].number, s.more[1].number))
	if others := s.others(); len(others) > 0 {
		var addresses []string
		for _, o := range others {
			addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", o.more[0].number))
		}
		args = append(args, "--wsrep-cluster-address=gcomm://"+strings.Join(addresses, ","))
	} else {
		args = append(args, "--wsrep-cluster-address=gcomm://", "--wsrep-new-cluster")
	}
	return g.server, g.chosen(s, args)
}

// prepare readies the file that says where a member stands: a killed one has not written it, and the last one that
// runs no more may found the cluster again.
func (g *galera) prepare(ctx context.Context, s *Server) error {
	file := filepath.Join(s.dataPath(), galeraStateFile)
	text, err := s.cluster.workspace.readInside(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the very first start
	}
	if err != nil {
		return err
	}
	state := string(text)
	if galeraUnknown.MatchString(state) {
		uuid, seqno, err := g.recover(ctx, s)
		if err != nil {
			return err
		}
		state = galeraUUID.ReplaceAllString(state, "uuid:    "+uuid)
		state = galeraUnknown.ReplaceAllString(state, "seqno:   "+seqno)
	}
	state = strings.Replace(state, "safe_to_bootstrap: 0", "safe_to_bootstrap: 1", 1)
	return s.cluster.workspace.write(file, state)
}

// recover asks the storage engine of a member that was killed where it stands.
func (g *galera) recover(ctx context.Context, s *Server) (uuid, seqno string, err error) {
	log := filepath.Join(s.dataPath(), "recovered.log")
	_ = s.cluster.workspace.removeInside(log) // of the last time
	_, args := g.command(s)
	if err := s.cluster.runCommand(ctx, g.server, append(args, "--wsrep-recover", "--log-error="+log)...); err != nil {
		return "", "", fmt.Errorf("%w\n%s", err, s.cluster.workspace.tail(log, 0))
	}
	text, err := s.cluster.workspace.readInside(log)
	if err != nil {
		return "", "", err
	}
	found := galeraRecovered.FindStringSubmatch(string(text))
	if found == nil {
		return "", "", fmt.Errorf("the server does not say where it stands: %s", s.cluster.workspace.tail(log, 0))
	}
	return found[1], found[2], nil
}

var (
	galeraUUID      = regexp.MustCompile(`(?m)^uuid: .*$`)
	galeraUnknown   = regexp.MustCompile(`(?m)^seqno:\s*-1$`)
	galeraRecovered = regexp.MustCompile(`Recovered position:? ([0-9a-f-]{36}):(-?\d+)`)
)

// rejoin waits until a member that joined when it started is synchronous.
func (*galera) rejoin(ctx context.Context, s *Server) error { return awaitSynced(ctx, s) }

func awaitSynced(ctx context.Context, s *Server) error {
	var last error // a member that joins closes connections at times
	err := poll(ctx, func() (bool, error) {
		if !s.running() {
			return false, fmt.Errorf("the server ended by itself\n%s", s.cluster.workspace.tail(s.logPath(), 0))
		}
		var state map[string]string
		state, last = s.rowOf(ctx, "SHOW STATUS LIKE 'wsrep_local_state'")
		return state["Value"] == galeraSynced, nil
	})
	if err != nil && last != nil {
		err = fmt.Errorf("%w: %w", err, last)
	}
	return err
}

const galeraSynced = "4" // wsrep_local_state

// catchUp waits for what the cluster had committed: manual, wsrep_sync_wait. A member that was frozen, or cut off, may have to
// join again first, and does not know that at once.
func (*galera) catchUp(ctx context.Context, s *Server) error {
	return poll(ctx, func() (bool, error) {
		if err := awaitSynced(ctx, s); err != nil {
			return false, err
		}
		err := s.exec(ctx, "", "SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1")
		var refused *mysql.MySQLError
		if errors.As(err, &refused) && (refused.Number == galeraNotReady || refused.Number == lockWaitTimeout) {
			return false, nil
		}
		return err == nil, err
	})
}

const (
	galeraNotReady  = 1047 // ER_UNKNOWN_COM_ERROR
	lockWaitTimeout = 1205 // ER_LOCK_WAIT_TIMEOUT, of wsrep_sync_wait
)

// rebuild starts from the seed again, and receives all that has been committed since.
func (*galera) rebuild(ctx context.Context, s, _ *Server) error { return s.copySeed(ctx) }

// pause holds the lock that stops a member from applying; it leaves the flow control, so that the others go on.
func (*galera) pause(ctx context.Context, s *Server) error {
	return s.hold(ctx, "FLUSH TABLES WITH READ LOCK")
}

func (*galera) resume(ctx context.Context, s *Server) error { return s.letGo(ctx, "UNLOCK TABLES") }

func (*galera) delay(context.Context, *Server, time.Duration) error { return ErrNotPossible }
func (*galera) promote(context.Context, *Server) error              { return ErrNotPossible }
func (*galera) follow(context.Context, *Server, *Server) error      { return ErrNotPossible }

// cut takes a member off the network of the group, or lets it back: Galera's parameter gmcast.isolate.
func (*galera) cut(ctx context.Context, s *Server, off bool) error {
	isolate := 0
	if off {
		isolate = 1
	}
	return s.exec(ctx, "", fmt.Sprintf("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=%d'", isolate))
}
