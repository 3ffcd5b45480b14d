package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router"
)

// TestReaderThenWriter has a commit wait on the primary for a replica that hangs, while another one shows it already. A
// session that has read it there does not miss it on the writer.
func TestReaderThenWriter(t *testing.T) {
	teston.Only(t, replicated...)
	for _, name := range replicated {
		if !teston.Has(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			needs := 2
			if name == teston.MariaDB { // it waits for one; so the other is made to acknowledge nothing
				needs = 1
			}
			c := teston.Start(t, name, 2, integration.WithSyncReplication(needs))
			hung, ahead := c.Replicas[0], c.Replicas[1]
			if name == teston.MariaDB {
				for _, sql := range []string{"STOP SLAVE IO_THREAD", "SET GLOBAL rpl_semi_sync_slave_enabled = OFF", "START SLAVE IO_THREAD"} {
					require.NoError(t, ahead.Exec(ctx, sql))
				}
			}
			m := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, []string{ahead.URI()}, `read_your_writes = "session"`))
			require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
			_, err := m.NewInsert(&tally{ID: 1}).Exec(ctx)
			require.NoError(t, err)
			require.NoError(t, c.WaitReplayed(ctx))
			read := func(ctx context.Context) (int64, error) {
				row := tally{ID: 1}
				err := m.NewSelect(&row).WherePK().Scan(ctx)
				return row.Value, err
			}
			session := router.NewSession(ctx)
			require.Eventually(t, func() bool {
				explained, route := router.Explain(session)
				value, err := read(explained)
				return assert.NoError(t, err) && assert.Zero(t, value) && route.String() == "shop/reader-1 (read, plain_read)"
			}, waitFor, tick)

			require.NoError(t, hung.Freeze())
			committed := make(chan error, 1)
			go func() {
				_, err := m.NewUpdate(&tally{ID: 1, Value: 1}).WherePK().Exec(router.NewSession(ctx))
				committed <- err
			}()
			require.Eventually(t, func() bool {
				value, err := read(session)
				return assert.NoError(t, err) && value == 1
			}, waitFor, tick, "the replica shows it")
			require.Empty(t, committed, "and the commit waits")
			value, err := read(router.OnWriter(router.NewSession(ctx)))
			require.NoError(t, err, "whoever has not read it waits for nothing")
			require.Zero(t, value, "the primary does not show it")

			for door, read := range map[string]func(context.Context) (int64, error){
				"OnWriter": func(ctx context.Context) (int64, error) { return read(router.OnWriter(ctx)) },
				"InTx": func(ctx context.Context) (value int64, err error) {
					err = m.InTx(ctx, shop{}, func(ctx context.Context) error {
						value, err = read(ctx)
						return err
					})
					return value, err
				},
				"bun.Tx": func(ctx context.Context) (value int64, err error) {
					b, err := m.Bind(shop{})
					require.NoError(t, err)
					tx, err := b.DB().BeginTx(ctx, nil)
					require.NoError(t, err)
					err = tx.NewRaw("SELECT value FROM tallies WHERE id = 1").Scan(ctx, &value)
					_ = tx.Rollback()
					return value, err
				},
			} {
				var behind *router.WriterBehindError
				for limit := 300 * time.Millisecond; ; limit *= 2 {
					short, cancel := context.WithTimeout(session, limit)
					value, err = read(short)
					cancel()
					require.Error(t, err, "%s read %d", door, value)
					var unsent *router.NotSentError
					if !errors.As(err, &unsent) || limit > waitFor { // else the machine had not even time to ask
						break
					}
				}
				require.ErrorAs(t, err, &behind, door)
				assert.ErrorIs(t, err, context.DeadlineExceeded, door)
				assert.Equal(t, "shop/reader-1", behind.Reader)
			}
			require.Empty(t, committed, "it still waits")
			value, err = read(session)
			require.NoError(t, err, "the session stays with its reader")
			assert.EqualValues(t, 1, value)

			// Nor is it served because the reader cannot be asked any more.
			require.NoError(t, ahead.Kill(ctx))
			for _, door := range []func(context.Context) context.Context{func(ctx context.Context) context.Context { return ctx }, router.OnWriter} {
				limited, cancel := context.WithTimeout(door(session), 3*time.Second)
				value, err = read(limited)
				cancel()
				require.Error(t, err, "the reader is dead, and %d was read", value)
			}
			require.NoError(t, ahead.Start(ctx))

			require.NoError(t, hung.Thaw())
			value, err = read(router.OnWriter(session))
			require.NoError(t, err)
			assert.EqualValues(t, 1, value)
			require.NoError(t, <-committed)
		})
	}
}
