package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// position returns "timeline lsn". The position is what has been flushed, which standbys reach even when
// the primary is idle; the timeline is in a WAL file's name.
func (*postgres) position(ctx context.Context, primary *Server) (string, error) {
	return primary.QueryString(ctx, `SELECT substr(pg_walfile_name(lsn), 1, 8) || ' ' || lsn::text
		FROM pg_current_wal_flush_lsn() AS lsn`)
}

// replayed wants the timeline, too: a standby that has diverged may be ahead in position.
func (*postgres) replayed(ctx context.Context, s *Server, position string) (bool, error) {
	timeline, lsn, _ := strings.Cut(position, " ")
	return s.queryBool(ctx, fmt.Sprintf(`SELECT pg_is_in_recovery()
		AND coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)
		AND EXISTS (SELECT FROM pg_stat_wal_receiver
			WHERE status = 'streaming' AND received_tli = ('x' || %s)::bit(32)::int)`,
		quotePostgres(lsn), quotePostgres(timeline)))
}

func (pg *postgres) follow(ctx context.Context, s, primary *Server) error {
	return pg.alterSystem(ctx, s, "primary_conninfo", pg.conninfo(s, primary))
}

func (pg *postgres) delay(ctx context.Context, s *Server, d time.Duration) error {
	return pg.alterSystem(ctx, s, "recovery_min_apply_delay", strconv.FormatInt(d.Milliseconds(), 10))
}

// alterSystem changes a setting, in the unit that pg_settings shows, and waits until it holds. The startup process, which replays, was told
// before the server forked a connection that sees the new value, and looks before its next record.
func (*postgres) alterSystem(ctx context.Context, s *Server, name, value string) error {
	err := s.exec(ctx, "postgres",
		fmt.Sprintf("ALTER SYSTEM SET %s = %s", name, quotePostgres(value)),
		"SELECT pg_reload_conf()")
	if err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		return s.queryBool(ctx, fmt.Sprintf("SELECT setting = %s FROM pg_settings WHERE name = %s",
			quotePostgres(value), quotePostgres(name)))
	})
}

func (*postgres) pause(ctx context.Context, s *Server) error {
	if err := s.exec(ctx, "postgres", "SELECT pg_wal_replay_pause()"); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		return s.queryBool(ctx, "SELECT pg_get_wal_replay_pause_state() = 'paused'")
	})
}

func (*postgres) resume(ctx context.Context, s *Server) error {
	return s.exec(ctx, "postgres", "SELECT pg_wal_replay_resume()")
}

func (*postgres) promote(ctx context.Context, s *Server) error {
	if err := s.exec(ctx, "postgres", "SELECT pg_promote(false)"); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		return s.queryBool(ctx, "SELECT NOT pg_is_in_recovery()")
	})
}

// rebuild copies the primary's data.
func (pg *postgres) rebuild(ctx context.Context, s, primary *Server) error {
	err := s.cluster.runCommand(ctx, filepath.Join(pg.bin, "pg_basebackup"), "--pgdata="+s.dataPath(),
		"--host="+primary.SocketDir(), "--port="+strconv.Itoa(primary.Port()), "--username="+replicaUser,
		"--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-password")
	if err != nil {
		return err
	}
	return pg.configure(s)
}
