package peers_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, peers.Leaks()...)
}

// seen keeps what reached the servers.
type seen struct {
	mu   sync.Mutex // guards list
	list []string   // "primary: INSERT …"
}

func (s *seen) add(server, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, server+": "+text)
}

// take returns what was seen since the last call.
func (s *seen) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// quotes make no difference between libraries.
var quotes = regexp.MustCompile("[`\"]")

func (s *seen) one(t *testing.T) (server, text string) {
	t.Helper()
	list := s.take()
	require.Len(t, list, 1)
	server, text, _ = strings.Cut(quotes.ReplaceAllString(list[0], ""), ": ")
	return server, text
}

func open(t *testing.T, l peers.Library, opts ...noop.Option) (peers.DB, *seen) {
	t.Helper()
	s := new(seen)
	c := noop.New(2, append(opts, noop.Seen(s.add))...)
	db, err := l.Open(t.Context(), c.Peers(), peers.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	assert.Empty(t, s.take(), "opening asks nothing")
	return db, s
}

// eachLibrary runs a test for each library and kind of database.
func eachLibrary(t *testing.T, test func(t *testing.T, l peers.Library, db peers.DB, s *seen)) {
	for name, opts := range map[string][]noop.Option{"PostgreSQL": nil, "MySQL": {noop.OfMySQL()}} {
		for _, l := range peers.All() {
			t.Run(l.Name+" on "+name, func(t *testing.T) {
				db, s := open(t, l, opts...)
				test(t, l, db, s)
			})
		}
	}
}

func TestReads(t *testing.T) {
	eachLibrary(t, func(t *testing.T, l peers.Library, db peers.DB, s *seen) {
		for name, get := range map[string]func(context.Context, int64) (peers.Item, error){"built": db.Get, "raw": db.GetRaw} {
			it, err := get(t.Context(), noop.Row.ID)
			require.NoError(t, err, name)
			assert.Equal(t, noop.Row, it, name)
			server, text := s.one(t)
			assert.Regexp(t, `^SELECT .* FROM items .*WHERE .*id ?= ?`, text)
			switch {
			case l.Bare == "", l.Name == "Bun + bunexp" && name == "raw":
				assert.Equal(t, "primary", server, name)
			default:
				assert.Contains(t, server, "replica", name)
			}
		}
	})
}

func TestReadsForUpdate(t *testing.T) {
	eachLibrary(t, func(t *testing.T, l peers.Library, db peers.DB, s *seen) {
		it, err := db.GetForUpdate(t.Context(), noop.Row.ID)
		require.NoError(t, err)
		assert.Equal(t, noop.Row, it)
		server, text := s.one(t)
		assert.Regexp(t, `^SELECT .* FROM items .*FOR UPDATE$`, text)
		if l.Bare == "" || l.Name == "bindery" {
			assert.Equal(t, "primary", server)
		}
	})
}

func TestWrites(t *testing.T) {
	eachLibrary(t, func(t *testing.T, _ peers.Library, db peers.DB, s *seen) {
		require.NoError(t, db.Insert(t.Context(), peers.Item{ID: 5, Owner: 6, Version: 7, Name: "x"}))
		server, text := s.one(t)
		assert.Equal(t, "primary", server)
		assert.Regexp(t, `^INSERT INTO items \(id, ?owner, ?version, ?name\) VALUES \([^)]*\)$`, text)

		require.NoError(t, db.Update(t.Context(), peers.Item{ID: 5, Owner: 6, Version: 0, Name: ""}))
		server, text = s.one(t)
		assert.Equal(t, "primary", server)
		assert.Regexp(t, `^UPDATE items .*SET .*owner ?= ?.*version ?= ?.*name ?= ?.* WHERE .*id`, text, "zero values too")
	})
}

func TestTexts(t *testing.T) {
	eachLibrary(t, func(t *testing.T, _ peers.Library, db peers.DB, s *seen) {
		require.NoError(t, db.Query(t.Context(), "SELECT a FROM b WHERE c = 'd?'"))
		_, text := s.one(t)
		assert.Equal(t, "SELECT a FROM b WHERE c = 'd?'", text)

		require.NoError(t, db.Exec(t.Context(), "DELETE FROM b"))
		server, text := s.one(t)
		assert.Equal(t, "primary: DELETE FROM b", server+": "+text)
	})
}

func TestTransactions(t *testing.T) {
	eachLibrary(t, func(t *testing.T, _ peers.Library, db peers.DB, s *seen) {
		require.NoError(t, db.InTx(t.Context(), func(ctx context.Context, tx peers.DB) error {
			for _, get := range []func(context.Context, int64) (peers.Item, error){tx.Get, tx.GetForUpdate, tx.GetRaw} {
				it, err := get(ctx, 1)
				if err != nil {
					return err
				}
				assert.Equal(t, noop.Row, it)
			}
			return errors.Join(tx.Insert(ctx, noop.Row), tx.Update(ctx, noop.Row),
				tx.Query(ctx, "SELECT 1"), tx.Exec(ctx, "DELETE FROM b"))
		}))
		list := s.take()
		require.Len(t, list, 9)
		assert.Equal(t, []string{"primary: BEGIN", "primary: COMMIT"}, []string{list[0], list[8]})
		for _, statement := range list {
			assert.Regexp(t, "^primary: ", statement)
		}

		failure := errors.New("no")
		err := db.InTx(t.Context(), func(context.Context, peers.DB) error { return failure })
		require.ErrorIs(t, err, failure)
		assert.Equal(t, []string{"primary: BEGIN", "primary: ROLLBACK"}, s.take())
	})
}

// TestReplicasTakeTurns shows that the routing forms know all replicas.
func TestReplicasTakeTurns(t *testing.T) {
	for _, l := range peers.All() {
		if l.Bare == "" {
			continue
		}
		t.Run(l.Name, func(t *testing.T) {
			db, s := open(t, l)
			servers := map[string]bool{}
			for range 200 {
				_, err := db.Get(t.Context(), 1)
				require.NoError(t, err)
				server, _ := s.one(t)
				servers[server] = true
			}
			assert.Equal(t, map[string]bool{"replica-1": true, "replica-2": true}, servers)
		})
	}
}

func TestBareForms(t *testing.T) {
	for _, l := range peers.All() {
		if l.Bare != "" {
			assert.Empty(t, peers.Named(l.Bare).Bare)
		}
	}
	assert.Panics(t, func() { peers.Named("nobody") })
}
