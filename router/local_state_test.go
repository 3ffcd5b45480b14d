package router

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// TestLocalState asks for what each server has for itself: the writer's is meant, unless a reader is asked.
func TestLocalState(t *testing.T) {
	b := newBench(t, "shop", 1, nil)
	activity := raw("SELECT * FROM pg_stat_activity")
	none := func(ctx context.Context) context.Context { return ctx }
	for name, row := range map[string]struct {
		db     *bun.DB
		hint   func(context.Context) context.Context
		run    run
		engine string
		reason Reason
	}{
		"statistics":              {b.db, none, activity, writer, LocalState},
		"where a sequence stands": {b.db, none, raw("SELECT last_value FROM items_id_seq"), writer, LocalState},
		"a builder's table": {b.db, none, func(ctx context.Context, db *bun.DB) error {
			return db.NewSelect().Table("pg_locks").Scan(ctx, new(int64))
		}, writer, LocalState},
		"rows of a query":                   {b.db, none, rowOf("SELECT count(*) FROM pg_prepared_xacts"), writer, LocalState},
		"what only a standby knows":         {b.db, none, raw("SELECT * FROM pg_stat_wal_receiver"), reader, PlainRead},
		"asked onto a reader":               {b.db, OnReader, activity, reader, HintReader},
		"asked onto the writer":             {b.db, OnWriter, activity, writer, HintWriter},
		"by Reader()":                       {b.on(b.ReaderOnly()), none, activity, reader, ReaderDB},
		"by Reader(), a hint to the writer": {b.on(b.ReaderOnly()), OnWriter, activity, reader, ReaderDB},
		"by Writer()":                       {b.on(b.WriterOnly()), none, activity, writer, WriterDB},
		"by Native()":                       {b.on(b.On(b.Writer().DB(), NativeDB)), none, activity, writer, NativeDB},
	} {
		t.Run(name, func(t *testing.T) {
			b.driver.servers()
			ctx, route := Explain(row.hint(t.Context()))
			require.NoError(t, row.run(ctx, row.db))
			assert.Equal(t, row.engine, route.Engine())
			assert.Equal(t, sqlkind.Read, route.Kind(), "it writes nowhere")
			assert.Equal(t, row.reason, route.Reason())
			assert.Equal(t, []string{row.engine[len("shop/"):]}, b.driver.servers(), "where it was really sent")
		})
	}
	assert.Equal(t, "local_state", LocalState.String())
	assert.Equal(t, "readers_behind", ReadersBehind.String())
}

func rowOf(query string) run {
	return func(ctx context.Context, db *bun.DB) error { return db.NewRaw(query).Scan(ctx, new(int64)) }
}

// TestLocalStateIsNoWrite: it is no reason for readers to catch up, and no harm to transactions.
func TestLocalStateIsNoWrite(t *testing.T) {
	b, other := newBench(t, "shop", 1, nil), newBench(t, "journal", 1, nil)
	const slots = "SELECT * FROM pg_replication_slots"
	assert.True(t, b.isRead(slots))
	assert.False(t, b.isRead("SELECT pg_drop_replication_slot('a')"))
	require.NoError(t, other.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
		assert.NoError(t, raw(slots)(ctx, b.db), "another bind's transaction is open")
		assert.Error(t, raw("SELECT pg_drop_replication_slot('a')")(ctx, b.db))
		return nil
	}))
	require.NoError(t, b.InTx(t.Context(), TxOptions{ReadOnly: true}, func(ctx context.Context) error {
		assert.NoError(t, raw(slots)(ctx, b.db), "in a transaction that only reads")
		return nil
	}))
}
