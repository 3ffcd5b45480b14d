package replication

import (
	"context"
	"database/sql"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

func TestSticker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := bun.NewDB(new(sql.DB), pgdialect.New())
		s := &sticker{replicas: []*sql.DB{new(sql.DB), new(sql.DB)}}
		replica := func(ctx context.Context) bool { return s.ResolveConn(ctx, db.NewSelect()) != nil }
		assert.NotSame(t, s.ResolveConn(t.Context(), db.NewSelect()), s.ResolveConn(t.Context(), db.NewSelect()), "in turn")

		mine, other := newStuck(t.Context()), newStuck(t.Context())
		assert.True(t, replica(mine))
		assert.Nil(t, s.ResolveConn(mine, db.NewUpdate()))
		assert.False(t, replica(mine))
		assert.True(t, replica(other), "another session")
		assert.True(t, replica(t.Context()), "no session")
		time.Sleep(stickFor - time.Nanosecond)
		assert.False(t, replica(mine))
		time.Sleep(time.Nanosecond)
		assert.True(t, replica(mine))
	})
}
