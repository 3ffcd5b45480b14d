package peers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

func TestPolicies(t *testing.T) {
	for library, policies := range map[string][]string{
		"bindery":            {"least_loaded", "round_robin", "random", "weighted"},
		"gorm + dbresolver":  {"round_robin", "random"},
		"xorm EngineGroup":   {"round_robin", "random", "least_conn"},
		"Bun + bunexp":       nil,
		"bxcodec/dbresolver": nil,
	} {
		l := peers.Named(library)
		for _, p := range policies {
			t.Run(library+" "+p, func(t *testing.T) {
				s := new(seen)
				db, err := l.Open(t.Context(), noop.New(2, noop.Seen(s.add)).Peers(), peers.Options{Policy: p})
				require.NoError(t, err)
				defer func() { assert.NoError(t, db.Close()) }()
				_, err = db.Get(t.Context(), 1)
				require.NoError(t, err)
			})
		}
		t.Run(library+" unknown", func(t *testing.T) {
			_, err := l.Open(t.Context(), noop.New(2).Peers(), peers.Options{Policy: "leest_conn"})
			assert.ErrorContains(t, err, "leest_conn")
		})
	}
}

// TestRoundRobinTakesTurns asks as often as there are replicas: each is asked once.
func TestRoundRobinTakesTurns(t *testing.T) {
	for _, library := range []string{"bindery", "gorm + dbresolver", "xorm EngineGroup"} {
		t.Run(library, func(t *testing.T) {
			s := new(seen)
			db, err := peers.Named(library).Open(t.Context(), noop.New(3, noop.Seen(s.add)).Peers(), peers.Options{Policy: "round_robin"})
			require.NoError(t, err)
			defer func() { assert.NoError(t, db.Close()) }()
			turns := map[string]bool{}
			for range 3 {
				_, err := db.Get(t.Context(), 1)
				require.NoError(t, err)
				server, _ := s.one(t)
				turns[server] = true
			}
			assert.Len(t, turns, 3)
		})
	}
}
