// Package integration starts real database servers for tests: PostgreSQL with hot standbys, MySQL and
// MariaDB with replicas, and three members of a group, Galera or MySQL Group Replication.
//
// The servers run from the binaries installed on this machine, in a temporary directory, on free
// loopback ports, as an unprivileged user, and are up within seconds. PostgreSQL 12 and newer:
//
//	func TestTransfer(t *testing.T) {
//		c := integration.StartPostgres(t, 2) // a primary and two standbys, stopped when t ends
//		db := open(c.Primary.URI(), c.Replicas[0].URI(), c.Replicas[1].URI())
//		…
//		require.NoError(t, c.Replicas[0].PauseReplay(t.Context()))
//		…
//	}
//
// MariaDB 10.6 and newer, here with a replica that trails by two seconds:
//
//	func TestReport(t *testing.T) {
//		c := integration.StartMariaDB(t, 1)
//		require.NoError(t, c.Replicas[0].DelayReplay(t.Context(), 2*time.Second))
//		…
//	}
//
// MySQL 8.4 and newer, here with commits that wait for a replica, and a failover:
//
//	func TestFailover(t *testing.T) {
//		c := integration.StartMySQL(t, 2, integration.WithSyncReplication(1))
//		…
//		require.NoError(t, c.Primary.Kill(t.Context()))
//		require.NoError(t, c.Replicas[0].Promote(t.Context()))
//		require.NoError(t, c.Replicas[1].Follow(t.Context(), c.Replicas[0]))
//		…
//	}
//
// Galera, of which every member accepts writes; one of them loses the others:
//
//	func TestMinority(t *testing.T) {
//		c := integration.StartGalera(t)
//		require.NoError(t, c.Replicas[0].CutOff(t.Context()))
//		…
//		require.NoError(t, c.Replicas[0].Heal(t.Context()))
//	}
//
// MySQL Group Replication with a single primary, which the group chooses anew by itself:
//
//	func TestElection(t *testing.T) {
//		c := integration.StartGroup(t)
//		require.NoError(t, c.Primary.Kill(t.Context()))
//		…
//		require.NoError(t, c.Primary.Start(t.Context())) // it joins again
//	}
//
// [Server.Version] tells which version runs.
//
// Where several tests share a cluster, call [NewPostgres], [NewMariaDB], [NewMySQL], [NewGalera] or [NewGroup] in
// TestMain and close what they return.
//
// # What a cluster holds
//
// Every server has a database "app" and an account "app" that owns it and has no other right: what
// an application should run as. The account "admin" may do everything. Both have passwords, and
// both log in over TCP and over the server's Unix socket. [Server.URI] and [Server.AdminURI] hold
// the passwords; nothing else that this package returns, prints or logs does.
//
// The servers are tuned for tests: they never wait for the disk, so they survive being killed but
// not the machine going down. Their clocks are in UTC.
//
// # What can be done to a server
//
// [Server.Stop], [Server.Kill], [Server.Start] and [Server.Restart] keep its port and data.
// [Server.Freeze] and [Server.Thaw] make it hang and go on. [Server.PauseReplay],
// [Server.ResumeReplay] and [Server.DelayReplay] make a replica fall behind. [Server.Promote],
// [Server.Follow] and [Server.Rebuild] play a failover. [Server.CutOff] and [Server.Heal] are for a member
// of Galera. What a group has nothing like is [ErrNotPossible].
//
// These methods may be called from several goroutines: for one server they run one after the
// other. A context without a deadline gives each of them a minute.
//
// # Poolers
//
// [StartPgBouncer], [StartPgpool] and [StartMySQLRouter] put a pooler before a cluster. Its URI leads to the same database as the
// primary's:
//
//	func TestThroughThePooler(t *testing.T) {
//		c := integration.StartPostgres(t, 1)
//		p := integration.StartPgBouncer(t, c.Primary, integration.PgBouncerOptions{Mode: integration.PoolTransactions})
//		db := open(t, p.URI())
//	}
//
// BINDERY_PGBOUNCER_BIN, BINDERY_PGPOOL_BIN and BINDERY_MYSQLROUTER_BIN name their directories. A test that needs one which is not
// installed fails; [RequirePgBouncers] and its like have it not run instead.
//
// # Where the binaries come from
//
// The directories of BINDERY_PG_BIN, BINDERY_MARIADB_BIN and BINDERY_MYSQL_BIN (written like PATH) are searched and
// no others, if set; BINDERY_GALERA is the file libgalera_smm.so. Else PATH is searched, symbolic links resolved,
// after it the places where distributions, Homebrew and source builds put them, and last the folder into which
// "make servers" fetches versions side by side. A missing server is a [MissingServerError], which says how to
// install it.
//
// When the tests run as root, the servers run as postgres, mysql or nobody, because no server
// should run as root and PostgreSQL and MySQL refuse to.
//
// # When the test process dies
//
// Servers do not outlive the process that started them. On Linux the kernel ends them the moment it
// dies, even by SIGKILL. What it then leaves behind (the temporary directory, servers it had frozen
// and, on other systems, running servers) is removed when any process of the same user next starts
// a cluster: each directory holds a file named owner, locked for as long as its owner lives, so
// what is still in use is never touched.
//
// Linux and macOS are supported. On Windows the package compiles, and every start is
// an error.
package integration
