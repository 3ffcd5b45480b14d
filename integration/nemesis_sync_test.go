package integration_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// commitsWait has each commit wait for a reader that hangs, while the other one shows it already: what a session reads there it must not miss on
// the primary. Commits wait for one replica as a rule, which is no time to speak of.
var commitsWait = fault{"reader hangs that commits wait for", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
	steps := context.WithoutCancel(ctx)
	needs, asBefore := n.waitsFor(s)
	if err := needs(steps); err != nil {
		return nil // the primary is down just now
	}
	err := s.Freeze()
	if err == nil {
		hold(ctx, r, 300*time.Millisecond, time.Second)
		err = s.Thaw()
	}
	return errors.Join(err, mendedSoon(steps, asBefore))
}}

// waitsFor returns what has commits wait for a reader, and what undoes it.
func (n *nemesis) waitsFor(s *integration.Server) (needs, asBefore func(context.Context) error) {
	run := func(on *integration.Server, statements ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			for _, sql := range statements {
				if err := on.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if !inMySQLFamily(s.URI()) {
		count := func(n string) []string {
			return []string{"ALTER SYSTEM SET synchronous_standby_names = 'ANY " + n + " (*)'", "SELECT pg_reload_conf()"}
		}
		return run(n.primary, count("2")...), run(n.primary, count("1")...)
	}
	if strings.HasPrefix(s.URI(), teston.MariaDB) { // it waits for one; so the other one is made to acknowledge nothing
		other := n.readers[1-slices.Index(n.readers, s)]
		acknowledges := func(how string) []string {
			return []string{"STOP SLAVE IO_THREAD", "SET GLOBAL rpl_semi_sync_slave_enabled = " + how, "START SLAVE IO_THREAD"}
		}
		return run(other, acknowledges("OFF")...), run(other, acknowledges("ON")...)
	}
	count := "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = "
	return run(n.primary, count+"2"), run(n.primary, count+"1")
}

// mendedSoon tries again while the server is being restarted.
func mendedSoon(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := do(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
