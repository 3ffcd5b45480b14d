package integration

import (
	"context"
	"testing"
)

// StartPostgres starts PostgreSQL, version 12 or newer, with hot standbys that stream from it.
// The cluster is closed when t and its subtests have ended. t fails if the server is not
// installed or does not start.
func StartPostgres(t testing.TB, standbys int, opts ...Option) *Cluster {
	t.Helper()
	c, err := NewPostgres(t.Context(), standbys, opts...)
	return forTest(t, c, err)
}

// StartMariaDB starts MariaDB, version 10.6 or newer, with replicas that use GTIDs.
// The cluster is closed when t and its subtests have ended. t fails if the server is not
// installed or does not start.
func StartMariaDB(t testing.TB, replicas int, opts ...Option) *Cluster {
	t.Helper()
	c, err := NewMariaDB(t.Context(), replicas, opts...)
	return forTest(t, c, err)
}

// StartMySQL starts MySQL, version 8.4 or newer, with super_read_only replicas that use GTIDs and
// SOURCE_AUTO_POSITION. The cluster is closed when t and its subtests have ended. t fails if the server is not
// installed or does not start.
func StartMySQL(t testing.TB, replicas int, opts ...Option) *Cluster {
	t.Helper()
	c, err := NewMySQL(t.Context(), replicas, opts...)
	return forTest(t, c, err)
}

// StartGalera starts three members of a Galera cluster of MariaDB. All accept writes. The cluster is closed when t
// and its subtests have ended. t fails if MariaDB or Galera is not installed or does not start.
func StartGalera(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	c, err := NewGalera(t.Context(), opts...)
	return forTest(t, c, err)
}

// StartGroup starts three members of a MySQL group (Group Replication) with a single primary. The cluster is
// closed when t and its subtests have ended. t fails if MySQL is not installed or does not start.
func StartGroup(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	c, err := NewGroup(t.Context(), opts...)
	return forTest(t, c, err)
}

// NewPostgres is [StartPostgres] for TestMain and for programs. The caller must close the cluster.
// Ctx bounds the start only. The error is a [*MissingServerError] if PostgreSQL is not installed.
func NewPostgres(ctx context.Context, standbys int, opts ...Option) (*Cluster, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	return newCluster(ctx, &postgres{bin: bin}, standbys, opts)
}

// NewMariaDB is [StartMariaDB] for TestMain and for programs. The caller must close the cluster.
// Ctx bounds the start only. The error is a [*MissingServerError] if MariaDB is not installed.
func NewMariaDB(ctx context.Context, replicas int, opts ...Option) (*Cluster, error) {
	server, installer, err := findMariaDB()
	if err != nil {
		return nil, err
	}
	return newCluster(ctx, newMariaDB(server, installer), replicas, opts)
}

// NewMySQL is [StartMySQL] for TestMain and for programs. The caller must close the cluster.
// Ctx bounds the start only. The error is a [*MissingServerError] if MySQL is not installed.
func NewMySQL(ctx context.Context, replicas int, opts ...Option) (*Cluster, error) {
	server, err := findMySQL()
	if err != nil {
		return nil, err
	}
	return newCluster(ctx, newMySQL(server), replicas, opts)
}

// NewGalera is [StartGalera] for TestMain and for programs. The caller must close the cluster.
// Ctx bounds the start only. The error is a [*MissingServerError] if MariaDB or Galera is not installed.
func NewGalera(ctx context.Context, opts ...Option) (*Cluster, error) {
	server, installer, provider, err := findGalera()
	if err != nil {
		return nil, err
	}
	return newCluster(ctx, &galera{newMariaDB(server, installer), provider}, members-1, opts)
}

// NewGroup is [StartGroup] for TestMain and for programs. The caller must close the cluster.
// Ctx bounds the start only. The error is a [*MissingServerError] if MySQL is not installed.
func NewGroup(ctx context.Context, opts ...Option) (*Cluster, error) {
	server, err := findMySQL()
	if err != nil {
		return nil, err
	}
	return newCluster(ctx, &groupReplication{newMySQL(server), randomUUID()}, members-1, opts)
}

// members is the size of a group: the smallest that has a majority without one of them.
const members = 3
