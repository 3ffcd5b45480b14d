package integration

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A MySQLRouter is a running MySQL Router in front of a cluster of MySQL: by its splitting port, what writes goes to the primary,
// and what only reads to a replica.
type MySQLRouter struct{ pooler }

// MySQLRouterOptions say how MySQL Router runs.
type MySQLRouterOptions struct {
	Program  string   // one of [MySQLRouters]; "" means the first
	Settings []string // further lines of its port's section: "connection_sharing_delay = 0.1"; they win over ours
}

// MySQLRouters returns the programs of MySQL Router that are found, the newest first of those that "make servers" has fetched,
// whatever else is installed before them. The error is a [*MissingServerError] if there is none.
func MySQLRouters() ([]string, error) { return findMySQLRouters() }

// StartMySQLRouter starts MySQL Router, of which 9.7 was tried, in front of a cluster of MySQL that was started [WithTLS]. It is
// stopped when t and its subtests have ended. T fails if it is not installed or does not start.
//
// It takes the cluster for an InnoDB ReplicaSet, whose primary is c.Primary until [MySQLRouter.SetPrimary] says otherwise.
// What MySQL Shell would write for that into the primary, the database mysql_innodb_cluster_metadata, this function
// writes, once: a cluster has one router.
func StartMySQLRouter(t testing.TB, c *Cluster, o MySQLRouterOptions) *MySQLRouter {
	t.Helper()
	b, err := NewMySQLRouter(t.Context(), c, o)
	return forTest(t, b, err)
}

// NewMySQLRouter is [StartMySQLRouter] for programs. The caller must close it, before the cluster. The error is a
// [*MissingServerError] if MySQL Router is not installed.
func NewMySQLRouter(ctx context.Context, c *Cluster, o MySQLRouterOptions) (*MySQLRouter, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	if _, ok := c.system.(*mysqlServer); !ok {
		return nil, errors.New("integration: MySQL Router works with MySQL only")
	}
	if !c.options.tls {
		return nil, errors.New("integration: MySQL Router needs a cluster WithTLS: it must see the password to connect anew with it")
	}
	if err := describeReplicaSet(ctx, c); err != nil {
		return nil, err
	}
	b := &MySQLRouter{pooler{server: c.Primary, name: "MySQL Router", program: o.Program, find: findMySQLRouters, readyWhen: "mode=RW"}}
	err := b.start(ctx, func() ([]string, error) {
		conf := filepath.Join(b.dir, "mysqlrouter.conf")
		return []string{"--config=" + conf}, errors.Join(
			b.writeKeyring(ctx, c),
			c.workspace.write(filepath.Join(b.dir, "state.json"), routerState(c)),
			c.workspace.write(conf, b.configuration(c, o)))
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// describeReplicaSet writes what a router asks of an InnoDB ReplicaSet, of its metadata's public views, version 2.
func describeReplicaSet(ctx context.Context, c *Cluster) error {
	text := `CREATE DATABASE mysql_innodb_cluster_metadata;
USE mysql_innodb_cluster_metadata;
CREATE TABLE members (id INT PRIMARY KEY, uuid CHAR(36) CHARACTER SET ascii NOT NULL, address VARCHAR(265) NOT NULL,
	role VARCHAR(9) NOT NULL, view INT NOT NULL DEFAULT 1);
CREATE VIEW schema_version (major, minor, patch) AS SELECT 2, 2, 0;
CREATE VIEW v2_ar_clusters AS SELECT '` + replicaSetID + `' cluster_id, 'bindery' cluster_name, 'ar' cluster_type;
CREATE VIEW v2_instances AS
	SELECT id instance_id, '` + replicaSetID + `' cluster_id, address label, uuid mysql_server_uuid, address, address endpoint,
		NULL xendpoint, CAST('{}' AS JSON) attributes FROM members;
CREATE VIEW v2_this_instance AS
	SELECT '` + replicaSetID + `' cluster_id, id instance_id, 'bindery' cluster_name, 'ar' cluster_type FROM members
		WHERE uuid = (SELECT CONVERT(variable_value USING ascii) FROM performance_schema.global_variables WHERE variable_name = 'server_uuid');
CREATE VIEW v2_ar_members AS
	SELECT view view_id, '` + replicaSetID + `' cluster_id, id instance_id, address label, uuid member_id, role member_role FROM members;
CREATE TABLE v2_routers (router_id INT PRIMARY KEY, router_name VARCHAR(265) NOT NULL, address VARCHAR(256) NOT NULL,
	product_name VARCHAR(128) NOT NULL, version VARCHAR(12), last_check_in TIMESTAMP NULL, attributes JSON, cluster_id CHAR(36), options JSON);
INSERT INTO v2_routers VALUES (1, 'bindery', '127.0.0.1', 'MySQL Router', NULL, NULL, '{}', '` + replicaSetID + `', '{}');
CREATE VIEW v2_router_options AS SELECT router_id, router_name, CAST('{}' AS JSON) router_options FROM v2_routers;
`
	role := "PRIMARY"
	for i, s := range append([]*Server{c.Primary}, c.Replicas...) {
		id, err := s.QueryString(ctx, "SELECT @@server_uuid")
		if err != nil {
			return err
		}
		text += fmt.Sprintf("INSERT INTO members (id, uuid, address, role) VALUES (%d, '%s', '%s', '%s');\n", i+1, id, s.Addr(), role)
		role = "SECONDARY"
	}
	return c.Primary.Exec(ctx, text)
}

// SetPrimary tells the router that s, which has been promoted, is the primary of the others, as MySQL Shell does after a failover. The
// router learns it within a second.
func (b *MySQLRouter) SetPrimary(ctx context.Context, s *Server) error {
	return s.Exec(ctx, "UPDATE mysql_innodb_cluster_metadata.members SET view = view + 1, role = IF(uuid = @@server_uuid, 'PRIMARY', 'SECONDARY')")
}

const (
	replicaSetID  = "00000000-0000-4000-8000-000000000001"
	keyringFile   = "keyring"
	masterKeyFile = "master-key"
)

// routerState is the file that lists where the metadata is.
func routerState(c *Cluster) string {
	return fmt.Sprintf(`{"version": "1.1.0", "metadata-cache": {"group-replication-id": "", "cluster-metadata-servers": ["mysql://%s"]}}`, c.Primary.Addr())
}

func (b *MySQLRouter) configuration(c *Cluster, o MySQLRouterOptions) string {
	plugins := filepath.Join(filepath.Dir(filepath.Dir(b.program)), "lib", "mysqlrouter", "plugin")
	own := `destinations = metadata-cache://bindery/?role=PRIMARY_AND_SECONDARY
routing_strategy = round-robin
protocol = classic
access_mode = auto
connection_sharing = 1
client_ssl_mode = PREFERRED
server_ssl_mode = PREFERRED
`
	for _, line := range o.Settings { // a name given twice is an error
		name, _, _ := strings.Cut(line, "=")
		own = withoutSetting(own, strings.TrimSpace(name)) + line + "\n"
	}
	return fmt.Sprintf(`[DEFAULT]
plugin_folder = %[1]s
runtime_folder = %[2]s
data_folder = %[2]s
logging_folder =
keyring_path = %[2]s/%[3]s
master_key_path = %[2]s/%[4]s
dynamic_state = %[2]s/state.json
client_ssl_cert = %[5]s
client_ssl_key = %[6]s
max_idle_server_connections = 64
[logger]
level = INFO
[metadata_cache:bindery]
cluster_type = rs
router_id = 1
user = %[7]s
metadata_cluster = bindery
ttl = 0.5
[routing:split]
bind_address = 127.0.0.1
bind_port = %[8]d
%[9]s`, plugins, b.dir, keyringFile, masterKeyFile, c.workspace.path(serverCertFile), c.workspace.path(serverKeyFile),
		adminUser, b.port.number, own)
}

// withoutSetting returns the lines but for those that set name.
func withoutSetting(lines, name string) string {
	var kept strings.Builder
	for line := range strings.Lines(lines) {
		if set, _, _ := strings.Cut(line, "="); strings.TrimSpace(set) != name {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// writeKeyring makes the file that holds the password of who reads the metadata.
func (b *MySQLRouter) writeKeyring(ctx context.Context, c *Cluster) error {
	program, file := filepath.Join(filepath.Dir(b.program), "mysqlrouter_keyring"), filepath.Join(b.dir, keyringFile)
	key := "--master-key-file=" + filepath.Join(b.dir, masterKeyFile)
	_ = c.workspace.removeInside(file) // of the attempt before
	_ = c.workspace.removeInside(filepath.Join(b.dir, masterKeyFile))
	return errors.Join(
		c.runCommand(ctx, program, "init", file, key),
		c.runCommandWith(ctx, c.admin.reveal(), program, "set", file, adminUser, "password", key))
}

// RequireMySQLRouters returns what [MySQLRouters] does. Without any the test is not run: it says so, and how to install one.
func RequireMySQLRouters(t testing.TB) []string {
	t.Helper()
	return requirePoolers(t, findMySQLRouters)
}
