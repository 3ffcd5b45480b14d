package integration

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A Pgpool is a running Pgpool-II: a pooler that sends what writes to the primary, and what only reads to any of its servers.
type Pgpool struct{ pooler }

// PgpoolOptions say how Pgpool-II runs.
type PgpoolOptions struct {
	Program  string    // one of [Pgpools]; "" means the first
	Servers  []*Server // of one cluster, in its own order, which decides whose process ids clients are given; none: the primary first
	Settings []string  // further lines of its configuration: "statement_level_load_balance = on"
}

// Pgpools returns the programs of Pgpool-II that are found, the newest first of those that "make servers" has fetched,
// whatever else is installed before them. The error is a [*MissingServerError] if there is none.
func Pgpools() ([]string, error) { return findPgpools() }

// StartPgpool starts Pgpool-II, version 4.3 or newer, in front of a PostgreSQL cluster. It is stopped when t and its
// subtests have ended. T fails if it is not installed or does not start.
func StartPgpool(t testing.TB, c *Cluster, o PgpoolOptions) *Pgpool {
	t.Helper()
	b, err := NewPgpool(t.Context(), c, o)
	return forTest(t, b, err)
}

// NewPgpool is [StartPgpool] for programs. The caller must close it, before the cluster. The error is a
// [*MissingServerError] if Pgpool-II is not installed.
func NewPgpool(ctx context.Context, c *Cluster, o PgpoolOptions) (*Pgpool, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	if _, ok := c.system.(*postgres); !ok {
		return nil, errors.New("integration: Pgpool-II works with PostgreSQL only")
	}
	if strings.Contains(c.options.password.reveal(), ":") {
		return nil, errors.New("integration: Pgpool-II's pool_passwd holds no password with a colon: give the cluster another one by WithPassword")
	}
	if o.Servers == nil {
		o.Servers = append([]*Server{c.Primary}, c.Replicas...)
	}
	b := &Pgpool{pooler{server: c.Primary, name: "Pgpool-II", program: o.Program, find: findPgpools, readyWhen: "primary node is",
		stopBy: sigInterrupt}} // killed, it leaves 140 MB of shared memory behind
	err := b.start(ctx, func() ([]string, error) {
		conf, control := filepath.Join(b.dir, "pgpool.conf"), filepath.Join(b.dir, "pcp.conf")
		text, err := b.configuration(o)
		return []string{"-n", "-f", conf, "-F", control}, errors.Join(err,
			c.workspace.write(filepath.Join(b.dir, "pool_passwd"), plainLogin(appUser, c.options.password)+plainLogin(adminUser, c.admin)),
			c.workspace.write(control, ""),
			c.workspace.write(conf, text))
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Pgpool) configuration(o PgpoolOptions) (string, error) {
	control, err := choosePort() // of its commands, which nobody uses here
	if err != nil {
		return "", err
	}
	sockets := "socket_dir"
	if b.version.AtLeast("Pgpool-II", 4, 4) {
		sockets = "unix_socket_directories"
	}
	var text strings.Builder
	fmt.Fprintf(&text, `backend_clustering_mode = 'streaming_replication'
listen_addresses = '127.0.0.1'
port = %d
pcp_port = %d
%[5]s = '%[3]s'
pcp_socket_dir = '%[3]s'
pid_file_name = '%[3]s/pgpool.pid'
logdir = '%[3]s'
pool_passwd = 'pool_passwd'
enable_pool_hba = off
num_init_children = 32
load_balance_mode = on
sr_check_period = 1
sr_check_user = '%[4]s'
sr_check_database = 'postgres'
`, b.port.number, control.number, b.dir, adminUser, sockets)
	for i, s := range o.Servers {
		host, port, _ := strings.Cut(s.Addr(), ":")
		fmt.Fprintf(&text, "backend_hostname%[1]d = '%[2]s'\nbackend_port%[1]d = %[3]s\nbackend_weight%[1]d = 1\n", i, host, port)
	}
	text.WriteString(strings.Join(o.Settings, "\n"))
	return text.String(), nil
}

// plainLogin is a line of Pgpool-II's pool_passwd.
func plainLogin(user string, password secret) string {
	return user + ":TEXT" + password.reveal() + "\n"
}

// RequirePgpools returns what [Pgpools] does. Without any the test is not run: it says so, and how to install one.
func RequirePgpools(t testing.TB) []string {
	t.Helper()
	return requirePoolers(t, findPgpools)
}
