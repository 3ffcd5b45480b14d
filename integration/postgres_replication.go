package integration

import (
	"context"
	"fmt"
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

// follow changes whom a running standby follows. Before version 13 a server reads that only when it starts: manual
// of 12, section 19.6.3.
func (pg *postgres) follow(ctx context.Context, s, primary *Server) error {
	conninfo := pg.conninfo(s, primary)
	if s.cluster.version.Major >= 13 {
		return pg.alterSystem(ctx, s, "primary_conninfo", conninfo)
	}
	now, err := s.queryBool(ctx, fmt.Sprintf("SELECT current_setting('primary_conninfo') = %s", quotePostgres(conninfo)))
	if err != nil || now {
		return err
	}
	err = s.exec(ctx, "postgres", "ALTER SYSTEM SET primary_conninfo = "+quotePostgres(conninfo))
	if err == nil {
		err = s.stop(ctx)
	}
	if err == nil {
		err = s.start(ctx)
	}
	return err
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

// pause returns when replay has stopped. Before version 14 a server tells only that it was asked to stop; it does so
// before its next record.
func (*postgres) pause(ctx context.Context, s *Server) error {
	if err := s.exec(ctx, "postgres", "SELECT pg_wal_replay_pause()"); err != nil {
		return err
	}
	paused := "SELECT pg_get_wal_replay_pause_state() = 'paused'"
	if s.cluster.version.Major < 14 {
		paused = "SELECT pg_is_wal_replay_paused()"
	}
	return poll(ctx, func() (bool, error) { return s.queryBool(ctx, paused) })
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
