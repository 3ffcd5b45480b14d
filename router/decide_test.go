package router_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// Decide says what a statement then does, and neither sends nor counts anything.
func TestDecide(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		decide := func(ctx context.Context, query string) router.Decision {
			d, err := p.Decide(ctx, query)
			require.NoError(t, err)
			return d
		}
		p.mustRead(t, t.Context()) // readers are known
		before := p.Stats()
		d := decide(t.Context(), "SELECT 'secret'")
		assert.Equal(t, router.Decision{Bind: d.Bind, Engine: p.Readers()[0].Name(), Role: binds.Reader, Kind: sqlkind.Read, Reason: router.PlainRead, Query: "SELECT ?"}, d)
		assert.Equal(t, router.WriteText, decide(t.Context(), "SELECT last_insert_rowid()").Reason)
		assert.Equal(t, router.WriteText, decide(t.Context(), "DELETE FROM t").Reason)
		assert.Equal(t, router.HintWriter, decide(router.OnWriter(t.Context()), "SELECT 1").Reason)
		assert.Equal(t, router.HintReader, decide(router.OnReader(t.Context()), "SELECT 1").Reason)
		session := router.NewSession(t.Context())
		assert.Equal(t, router.PlainRead, decide(session, "SELECT 1").Reason)
		token, err := router.SessionFrom(session).Token(t.Context())
		require.NoError(t, err)
		assert.Empty(t, token, "the session has read nothing")

		p.cluster.Replicas()[0].Down()
		p.mustRead(t, t.Context()) // finds that out
		counted := p.Stats()
		d = decide(t.Context(), "SELECT 1")
		assert.Equal(t, router.ReadersDown, d.Reason)
		assert.Equal(t, p.Writer().Name(), d.Engine)
		assert.Equal(t, counted, p.Stats(), "nothing is counted")
		assert.Equal(t, before.ToWriter+1, counted.ToWriter, "but for the read that ran")
	})
}

// What a session has written asks nothing of a decision, which is for whoever has none; and the session stays as it was.
func TestDecide_withoutTheSession(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		session := router.NewSession(t.Context())
		p.cluster.Replicas()[0].SetLag(time.Second)
		p.mustWrite(t, session, 7)
		_, route := p.mustRead(t, session)
		require.Contains(t, route, "shop/writer")
		d, err := p.Decide(session, "SELECT 1")
		require.NoError(t, err)
		assert.Equal(t, router.PlainRead, d.Reason)
		_, route = p.mustRead(t, session)
		assert.Contains(t, route, "shop/writer")
	})
}

// Where only readers may serve, the decision is the error that the read would get.
func TestDecide_noReader(t *testing.T) {
	inBubble(t, 1, func(cfg *router.Config) { cfg.NoFallback = true }, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].Down()
		_, _, err := p.read(t.Context())
		require.ErrorIs(t, err, router.ErrNoReader)
		_, err = p.Decide(t.Context(), "SELECT 1")
		require.ErrorIs(t, err, router.ErrNoReader)
	})
}

func ExampleRouter_Decide() {
	ctx := context.Background()
	writer, err := binds.Open(ctx, "shop/writer", "sqlite:file-that-need-not-exist.db")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = writer.Close() }()
	r, err := router.New(router.Config{Key: "shop", Default: "shop", Dialect: writer.Driver().Dialect(), Writer: writer})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	for _, query := range []string{"SELECT name FROM items", "DELETE FROM items"} {
		d, err := r.Decide(ctx, query)
		fmt.Println(d.Engine, d.Kind, d.Reason, err)
	}
	fmt.Println(r.Why("DELETE FROM items"))
	// Output:
	// shop/writer read no_reader <nil>
	// shop/writer write write_text <nil>
	// DELETE: a statement that begins so is not known to only read
}
