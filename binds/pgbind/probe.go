package pgbind

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.Positioner = Driver{}

// probeQuery works on a server of either role for a login without grants. OFFSET 0 keeps the role a
// value that is computed first and once: the functions for the other role are errors.
//
// The timeline of a primary is the first eight digits of its log file's name. That of a standby is
// the latest that it shows any sign of: that of the log it receives, of its last restartpoint, of the
// last page it wrote out. The first is hidden from a login without pg_read_all_stats and missing
// while there is no connection to the primary; the others come later, by minutes perhaps.
//
// The time when the statistics began is part of the server's start because it changes when the
// server recovers from the crash of one of its processes: a standby then shows an older state, and
// its postmaster's start time stays. Before PostgreSQL 15 it is dear to ask for, and left out.
const probeQuery = `SELECT r::text,
 current_setting('port') || '/' || (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint || '/' ||
  coalesce(CASE WHEN current_setting('server_version_num')::int >= 150000
   THEN (extract(epoch FROM (pg_stat_get_archiver()).stats_reset) * 1000000)::bigint END, 0),
 (pg_control_system()).system_identifier::text,
 CASE WHEN r THEN greatest(received_tli,
   (pg_control_checkpoint()).timeline_id,
   (pg_control_recovery()).min_recovery_end_timeline)::text
  ELSE substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END,
 CASE WHEN r THEN pg_last_wal_replay_lsn()
  WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn()
  ELSE pg_current_wal_flush_lsn() END::text,
 CASE WHEN NOT r AND current_setting('synchronous_commit') = 'off' THEN current_setting('wal_block_size') END,
 CASE WHEN NOT r AND current_setting('synchronous_commit') = 'off'
  THEN pg_size_bytes(current_setting('wal_segment_size'))::text END,
 (r AND pid IS NOT NULL AND received_tli IS NULL)::text,
 (r AND pid IS NULL)::text,
 current_database(), current_schemas(false)::text,
 CASE WHEN EXISTS (SELECT FROM pg_policy) THEN current_user::text END, current_setting('row_security'),
 current_setting('TimeZone'), current_setting('IntervalStyle'), current_setting('default_text_search_config'),
 pg_backend_pid()::text
FROM (SELECT pg_is_in_recovery() AS r OFFSET 0) AS role LEFT JOIN pg_stat_get_wal_receiver() ON r`

// probeColumns is how many there are.
const probeColumns = 17

// plainQuery asks for what every server tells.
const plainQuery = `SELECT pg_is_in_recovery()::text,
 current_setting('port') || '/' || (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, pg_backend_pid()::text`

const adviceMonitor = "the login may not see what its standby receives: GRANT pg_read_all_stats (or pg_monitor) TO it; " +
	"without that, a standby's change of timeline shows only after its next restartpoint, and until then it proves nothing after a failover"

// Probe asks a server for its identity, role and position, by one statement. The package's
// documentation says what a position is.
//
// A server that refuses to tell is asked again for its role alone, and has the refusal as its Doubt.
func (Driver) Probe(ctx context.Context, ask binds.Ask) (binds.Probe, error) {
	row, err := ask(ctx, probeQuery)
	var p binds.Probe
	switch {
	case err == nil:
		p, err = readProbe(row)
	case Driver{}.Classify(err) == binds.Refused:
		p, err = plainProbe(ctx, ask, err)
	}
	if err != nil {
		return binds.Probe{}, fmt.Errorf("pgbind: probe: %w", err)
	}
	return p, nil
}

func readProbe(row []string) (binds.Probe, error) {
	if len(row) != probeColumns {
		return binds.Probe{}, errProbe
	}
	standby, server, system, timeline, at := row[0] == "true", row[1], row[2], row[3], row[4]
	base := 16
	if standby {
		base = 10
	}
	tli, err := strconv.ParseUint(timeline, base, 32)
	if err != nil || server == "" || system == "" {
		return binds.Probe{}, errProbe
	}
	pos, err := readPosition(at, row[5], row[6])
	if err != nil {
		return binds.Probe{}, err
	}
	p := binds.Probe{
		Server:   server,
		History:  system + ":" + strconv.FormatUint(tli, 10),
		Cluster:  system,
		Timeline: tli,
		Primary:  !standby,
		Detached: row[8] == "true",
		Session:  row[16],
		Position: pos,
		View: binds.View{
			{Name: "the database", Value: row[9]},
			{Name: "the schemas of search_path", Value: row[10]},
			{Name: "the login, of which row security depends,", Value: row[11]},
			{Name: "row_security", Value: row[12]},
			{Name: "TimeZone", Value: row[13]},
			{Name: "IntervalStyle", Value: row[14]},
			{Name: "default_text_search_config", Value: row[15]},
		},
	}
	if row[7] == "true" {
		p.Advice = adviceMonitor
	}
	return p, nil
}

// readPosition reads a position, which is "" where nothing has been replayed since the start. Block
// and segment are sizes if it is that of the last insert.
func readPosition(at, block, segment string) (position, error) {
	if at == "" {
		return 0, nil
	}
	p, err := parseLSN(at)
	if err != nil || block == "" {
		return p, err
	}
	b, errBlock := strconv.ParseUint(block, 10, 32)
	s, errSegment := strconv.ParseUint(segment, 10, 32)
	if errBlock != nil || errSegment != nil || b == 0 || s == 0 {
		return 0, errProbe
	}
	return p.lastRecordEnd(b, s), nil
}

func plainProbe(ctx context.Context, ask binds.Ask, refusal error) (binds.Probe, error) {
	row, err := ask(ctx, plainQuery)
	if err != nil {
		return binds.Probe{}, errors.Join(err, refusal)
	}
	if len(row) != 3 {
		return binds.Probe{}, errProbe
	}
	return binds.Probe{Server: row[1], Session: row[2], Primary: row[0] != "true", Doubt: &PositionError{Err: refusal}}, nil
}
