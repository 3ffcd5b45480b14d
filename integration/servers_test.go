package integration_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReplicas_showWhatThePrimaryWrote(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		name := table(t, sys, c)
		app := sys.open(t, c.Primary.URI())
		_, err := app.ExecContext(t.Context(), "INSERT INTO "+name+" VALUES (1)")
		require.NoError(t, err)
		require.NoError(t, c.WaitReplayed(t.Context()))
		require.Len(t, c.Replicas, 2)
		for _, replica := range c.Replicas {
			assert.Equal(t, "1", ids(t, sys, replica, name), replica.Name())
			_, err := sys.open(t, replica.URI()).ExecContext(t.Context(), "INSERT INTO "+name+" VALUES (2)")
			assert.ErrorContains(t, err, sys.readOnly, replica.Name())
		}
	})
}

func TestServers_haveNamesAndAddressesOfTheirOwn(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		seen := map[string]bool{}
		for i, s := range []*integration.Server{c.Primary, c.Replicas[0], c.Replicas[1]} {
			assert.Equal(t, []string{"primary", "replica-1", "replica-2"}[i], s.Name())
			assert.Equal(t, fmt.Sprintf("127.0.0.1:%d", s.Port()), s.Addr())
			assert.Contains(t, s.URI(), "@"+s.Addr()+"/app")
			assert.NotEmpty(t, s.Log())
			assert.False(t, seen[s.Addr()] || seen[s.SocketPath()])
			seen[s.Addr()], seen[s.SocketPath()] = true, true
		}
	})
}

func TestOrdinaryUser_isNoAdministrator(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
			app := sys.open(t, s.URI())
			statement := map[string]string{
				"42501": "SELECT pg_read_file('postgresql.conf')", "1227": "SET GLOBAL max_connections = 10",
			}[sys.noRight]
			_, err := app.ExecContext(t.Context(), statement)
			assert.ErrorContains(t, err, sys.noRight)
			_, err = sys.open(t, s.AdminURI()).ExecContext(t.Context(), strings.Replace(statement, "10", "200", 1))
			assert.NoError(t, err)
		}
	})
}

func TestPasswords_areChecked(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		const right = "p%40ss%3Aw%2Frd%3F%23%25"
		for reason, uri := range map[string]string{
			"ordinary user over TCP":        c.Primary.URI(),
			"ordinary user on a replica":    c.Replicas[0].URI(),
			"ordinary user over the socket": c.Primary.SocketURI(),
			"administrator over TCP":        c.Primary.AdminURI(),
		} {
			t.Run(reason, func(t *testing.T) {
				require.NoError(t, sys.open(t, uri).PingContext(t.Context()))
				head, tail, _ := strings.Cut(uri, "@")
				wrong := head[:strings.LastIndexByte(head, ':')] + ":wrong@" + tail
				assert.ErrorContains(t, sys.open(t, wrong).PingContext(t.Context()), sys.badPassword)
				if !strings.Contains(uri, "admin") {
					assert.Contains(t, uri, right)
				}
			})
		}
	})
}

func TestWithPassword(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.odd.get(t)
		for _, uri := range []string{c.Primary.URI(), c.Primary.SocketURI(), c.Replicas[0].URI()} {
			u, err := url.Parse(uri)
			require.NoError(t, err)
			password, _ := u.User.Password()
			assert.Equal(t, oddPassword, password)
			assert.NoError(t, sys.open(t, uri).PingContext(t.Context()))
		}
	})
}

func TestPauseReplay_hidesWritesUntilResumed(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		name := table(t, sys, c)
		paused, other := c.Replicas[0], c.Replicas[1]
		require.NoError(t, paused.PauseReplay(t.Context()))
		insert(t, sys, c.Primary, name, 1)

		err := c.WaitReplayed(soon(t, time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, `"replica-1"`)
		assert.NotContains(t, err.Error(), `"replica-2"`)
		assert.Equal(t, "1", ids(t, sys, other, name))
		assert.Empty(t, ids(t, sys, paused, name))

		require.NoError(t, paused.ResumeReplay(t.Context()))
		require.NoError(t, c.WaitReplayed(t.Context()))
		assert.Equal(t, "1", ids(t, sys, paused, name))
	})
}

func TestDelayReplay_holdsWritesBack(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		name := table(t, sys, c)
		late, other := c.Replicas[1], c.Replicas[0]

		require.NoError(t, late.DelayReplay(t.Context(), time.Second))
		written := time.Now()
		insert(t, sys, c.Primary, name, 1)
		require.NoError(t, c.WaitReplayed(t.Context()))
		assert.Equal(t, "1", ids(t, sys, late, name))
		assert.GreaterOrEqual(t, time.Since(written), time.Second)

		require.NoError(t, late.DelayReplay(t.Context(), time.Hour))
		insert(t, sys, c.Primary, name, 2)
		require.ErrorIs(t, c.WaitReplayed(soon(t, time.Second)), context.DeadlineExceeded)
		assert.Equal(t, "1,2", ids(t, sys, other, name))
		assert.Equal(t, "1", ids(t, sys, late, name))

		require.NoError(t, late.DelayReplay(t.Context(), 0))
		require.NoError(t, c.WaitReplayed(t.Context()))
		assert.Equal(t, "1,2", ids(t, sys, late, name))

		assert.ErrorContains(t, late.DelayReplay(t.Context(), -1), `integration: delay the replay of "replica-2"`)
	})
}

func TestDelayReplay_keepsAPause(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		name := table(t, sys, c)
		replica := c.Replicas[0]
		require.NoError(t, replica.PauseReplay(t.Context()))
		require.NoError(t, replica.DelayReplay(t.Context(), time.Hour))
		require.NoError(t, replica.DelayReplay(t.Context(), 0))
		insert(t, sys, c.Primary, name, 1)
		require.ErrorIs(t, c.WaitReplayed(soon(t, 500*time.Millisecond)), context.DeadlineExceeded)
		assert.Empty(t, ids(t, sys, replica, name))
		require.NoError(t, replica.ResumeReplay(t.Context()))
		require.NoError(t, c.WaitReplayed(t.Context()))
	})
}

func TestStopKillAndRestart_keepPortAndData(t *testing.T) {
	ends := map[string]func(*integration.Server, context.Context) error{
		"stop": (*integration.Server).Stop,
		"kill": (*integration.Server).Kill,
		"stop while frozen": func(s *integration.Server, ctx context.Context) error {
			if err := s.Freeze(); err != nil {
				return err
			}
			return s.Stop(ctx)
		},
		"kill while frozen": func(s *integration.Server, ctx context.Context) error {
			if err := s.Freeze(); err != nil {
				return err
			}
			return s.Kill(ctx)
		},
	}
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		for reason, end := range ends {
			t.Run(reason, func(t *testing.T) {
				name := table(t, sys, c)
				insert(t, sys, c.Primary, name, 1)
				require.NoError(t, c.WaitReplayed(t.Context()))
				for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
					addr := s.Addr()
					require.NoError(t, end(s, t.Context()))

					_, err := net.Dial("tcp", addr)
					assert.ErrorIs(t, err, syscall.ECONNREFUSED)
					_, err = net.Dial("unix", s.SocketPath())
					assert.ErrorIs(t, err, syscall.ENOENT)
					assert.ErrorIs(t, s.Exec(t.Context(), "SELECT 1"), integration.ErrNotRunning)
					assert.ErrorIs(t, s.Freeze(), integration.ErrNotRunning)
					assert.NoError(t, s.Stop(t.Context()), "it does not run")
					assert.NoError(t, s.Kill(t.Context()), "it does not run")

					require.NoError(t, s.Start(t.Context()))
					assert.Equal(t, addr, s.Addr())
					assert.Equal(t, "1", ids(t, sys, s, name))
					assert.ErrorIs(t, s.Start(t.Context()), integration.ErrRunning)
				}
				insert(t, sys, c.Primary, name, 2)
				require.NoError(t, c.WaitReplayed(t.Context()))
				assert.Equal(t, "1,2", ids(t, sys, c.Replicas[0], name))
				assert.Equal(t, "1,2", ids(t, sys, c.Replicas[1], name))
			})
		}
	})
}

func TestRestart_dropsConnections(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		conn, err := sys.open(t, c.Replicas[0].URI()).Conn(t.Context())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }() // broken by then
		require.NoError(t, conn.PingContext(t.Context()))
		require.NoError(t, c.Replicas[0].Restart(t.Context()))
		_, err = conn.ExecContext(t.Context(), "SELECT 1")
		assert.Error(t, err)
		assert.NoError(t, sys.open(t, c.Replicas[0].URI()).PingContext(t.Context()))
	})
}

func TestFreeze_answersNothingUntilThawed(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		s := c.Replicas[1]
		conn, err := sys.open(t, s.URI()).Conn(t.Context())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }() // broken by then
		require.NoError(t, s.Freeze())

		_, err = conn.ExecContext(soon(t, 300*time.Millisecond), "SELECT 1")
		assert.Error(t, err, "a connection opened before")
		assert.Error(t, sys.open(t, s.URI()).PingContext(soon(t, 300*time.Millisecond)), "a new connection")
		assert.ErrorIs(t, s.Exec(soon(t, 300*time.Millisecond), "SELECT 1"), context.DeadlineExceeded)
		tcp, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err, "the kernel accepts")
		require.NoError(t, tcp.Close())

		require.NoError(t, s.Thaw())
		assert.NoError(t, sys.open(t, s.URI()).PingContext(t.Context()))
		assert.NoError(t, c.WaitReplayed(t.Context()))
	})
}

func TestExec_returnsWhenItsContextIsCancelled(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		s := sys.shared.get(t).Primary
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		sleep := map[string]string{"25006": "SELECT pg_sleep(30)", "1290": "DO SLEEP(30)"}[sys.readOnly]
		returned := make(chan error, 1)
		go func() { returned <- s.Exec(ctx, sleep) }()
		select {
		case err := <-returned:
			assert.ErrorIs(t, err, context.Canceled)
		case <-time.After(10 * time.Second):
			t.Fatal("Exec waits for the statement")
		}
	})
}

func TestFailover(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.start(t, 2)
		old, promoted, other := c.Primary, c.Replicas[0], c.Replicas[1]
		name := create(t, sys, old)
		insert(t, sys, old, name, 1)
		require.NoError(t, c.WaitReplayed(t.Context()))
		require.NoError(t, old.Kill(t.Context()))

		require.NoError(t, promoted.Promote(t.Context()))
		assert.ErrorIs(t, promoted.Promote(t.Context()), integration.ErrNotReplica)
		assert.ErrorIs(t, promoted.PauseReplay(t.Context()), integration.ErrNotReplica)
		insert(t, sys, promoted, name, 2) // the ordinary user may now
		assert.ErrorIs(t, c.WaitReplayed(t.Context()), integration.ErrNotRunning, "replica-2 still follows the dead one")

		require.NoError(t, other.Follow(t.Context(), promoted))
		require.NoError(t, c.WaitReplayed(t.Context()))
		assert.Equal(t, "1,2", ids(t, sys, other, name))

		require.NoError(t, promoted.Restart(t.Context()))
		insert(t, sys, promoted, name, 3) // still a primary
		require.NoError(t, c.WaitReplayed(t.Context()))

		require.NoError(t, old.Rebuild(t.Context(), promoted))
		require.NoError(t, c.WaitReplayed(t.Context()))
		assert.Equal(t, "1,2,3", ids(t, sys, old, name))
		_, err := sys.open(t, old.URI()).ExecContext(t.Context(), "INSERT INTO "+name+" VALUES (4)")
		assert.ErrorContains(t, err, sys.readOnly)
	})
}

// A replica that applied what its new primary never had must not pass for one that caught up.
func TestWaitReplayed_knowsDivergence(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.start(t, 2)
		behind, ahead := c.Replicas[0], c.Replicas[1]
		name := create(t, sys, c.Primary)
		require.NoError(t, c.WaitReplayed(t.Context()))
		require.NoError(t, behind.Stop(t.Context()))
		for id := range 50 {
			insert(t, sys, c.Primary, name, id)
		}
		require.NoError(t, c.WaitReplayed(t.Context()), "a stopped replica is not waited for")
		require.NoError(t, c.Primary.Kill(t.Context()))
		require.NoError(t, behind.Start(t.Context()))
		require.NoError(t, behind.Promote(t.Context()))
		insert(t, sys, behind, name, 100)

		require.NoError(t, ahead.Follow(t.Context(), behind))
		require.ErrorIs(t, c.WaitReplayed(soon(t, time.Second)), context.DeadlineExceeded)
		require.NoError(t, ahead.Rebuild(t.Context(), behind))
		require.NoError(t, c.WaitReplayed(t.Context()))
		assert.Equal(t, "100", ids(t, sys, ahead, name))
	})
}

func TestFollow_refusesStrangers(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c, other := sys.shared.get(t), sys.odd.get(t)
		for reason, err := range map[string]error{
			"another cluster": c.Replicas[0].Follow(t.Context(), other.Primary),
			"nobody":          c.Replicas[0].Follow(t.Context(), nil),
			"itself":          c.Replicas[0].Rebuild(t.Context(), c.Replicas[0]),
		} {
			assert.ErrorContains(t, err, "its own cluster", reason)
		}
		assert.ErrorIs(t, c.Primary.Follow(t.Context(), c.Replicas[0]), integration.ErrNotReplica)
	})
}

// A commit that waits for a replica ends when one answers, and not before.
func TestWithSyncReplication_waitsForAReplica(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.start(t, 1, integration.WithSyncReplication(1))
		name := create(t, sys, c.Primary)
		db := sys.open(t, c.Primary.URI())
		write := func(id int) <-chan error {
			done := make(chan error, 1)
			go func() {
				_, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s VALUES (%d)", name, id))
				done <- err
			}()
			return done
		}
		require.NoError(t, <-write(1))
		require.NoError(t, c.Replicas[0].Freeze())
		waiting := write(2)
		require.Eventually(t, func() bool {
			n, err := c.Primary.QueryString(t.Context(), sys.waitsForReplica)
			return err == nil && n == "1"
		}, 20*time.Second, 10*time.Millisecond, "the server says that the commit waits")
		require.Empty(t, waiting, "and so it has not ended")
		require.NoError(t, c.Replicas[0].Thaw())
		require.NoError(t, <-waiting)
		require.NoError(t, c.WaitReplayed(t.Context()))
		assert.Equal(t, "1,2", ids(t, sys, c.Replicas[0], name))
	})
}

// A failover does not wait for a primary that hangs, also where the replica has just been restarted and seeks it.
func TestPromote_whilePrimaryHangs(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.start(t, 1)
		name := create(t, sys, c.Primary)
		require.NoError(t, c.WaitReplayed(t.Context()))
		require.NoError(t, c.Primary.Freeze())
		require.NoError(t, c.Replicas[0].Restart(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.NoError(t, c.Replicas[0].Promote(ctx))
		require.NoError(t, c.Replicas[0].Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (1)", name)))
	})
}

func TestVerbs_mayBeCalledAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c := sys.shared.get(t)
		s := c.Replicas[0]
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.NoError(t, s.Restart(t.Context())) })
			wg.Go(func() { _ = s.Exec(t.Context(), "SELECT 1") }) // fails while it is down
			wg.Go(func() { _ = s.PauseReplay(t.Context()); _ = s.ResumeReplay(t.Context()) })
			wg.Go(func() { _ = fmt.Sprint(s, s.URI(), s.Log(), s.Addr()) })
		}
		wg.Wait()
		assert.NoError(t, s.ResumeReplay(t.Context()))
		assert.NoError(t, c.WaitReplayed(t.Context()))
	})
}

func TestClose_leavesNothing(t *testing.T) {
	// What would lead the servers' programs astray is kept from them.
	for _, name := range []string{"PGDATA", "PGHOST", "PGOPTIONS", "MYSQL_HOME", "NOTIFY_SOCKET", "HOME"} {
		t.Setenv(name, "/nonexistent")
	}
	onEach(t, func(t *testing.T, sys system) {
		c := sys.start(t, 1)
		require.NoError(t, c.Replicas[0].Freeze())
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
			_, err := net.Dial("tcp", s.Addr())
			assert.ErrorIs(t, err, syscall.ECONNREFUSED)
			assert.ErrorIs(t, s.Start(t.Context()), integration.ErrClosed)
			assert.ErrorIs(t, s.Exec(t.Context(), "SELECT 1"), integration.ErrClosed)
		}
		_, err := os.Stat(filepath.Dir(c.Primary.SocketDir()))
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestStart_showsTheLogOfAServerThatCannot(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		_, err := teston.New(t.Context(), sys.shared.name, 0, integration.WithSetting("no_such_setting", "1"))
		var failed *integration.ServerError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, "primary", failed.Server)
		assert.Contains(t, strings.ReplaceAll(failed.Log, "-", "_"), "no_such_setting")
	})
}

func TestStart_givesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	onEach(t, func(t *testing.T, sys system) {
		_, err := teston.New(ctx, sys.shared.name, 1)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestOptions_refuseWhatCannotBe(t *testing.T) {
	for reason, opt := range map[string]integration.Option{
		"setting without a name":       integration.WithSetting("", "x"),
		"setting that is two":          integration.WithSetting("a = 1\nb", "x"),
		"value with a line break":      integration.WithSetting("work_mem", "1\nfsync=on"),
		"empty password":               integration.WithPassword(""),
		"password with a zero byte":    integration.WithPassword("a\x00b"),
		"password with a line break":   integration.WithPassword("a\nb"),
		"setting that is a flag value": integration.WithSetting("--user", "root"),
		"fewer replicas than none":     integration.WithSyncReplication(-1),
	} {
		onEach(t, func(t *testing.T, sys system) {
			_, err := teston.New(t.Context(), sys.shared.name, 0, opt)
			assert.ErrorContains(t, err, "integration: ", reason)
		})
	}
}
