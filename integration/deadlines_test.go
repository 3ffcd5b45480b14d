package integration_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/manager"
)

// TestShortDeadlines has callers give up while they connect: nothing is wrong with the servers, and nobody else
// may suffer from it.
func TestShortDeadlines(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			writer, readers, _ := clusterURIs(start(t))
			var log testlog.Buffer
			m := openManager(t, config(map[string]string{"shop": writer}, readers, "fallback = \"none\"\npool = { max_idle = 0, max_open = 8 }"),
				manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			read := func(ctx context.Context) error { return m.NewRaw(shop{}, "SELECT 1").Scan(ctx, new(int)) }
			require.Eventually(t, func() bool { return read(t.Context()) == nil }, waitFor, tick)
			log.Reset()
			failed := 0
			for range 150 {
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond))
				if err := read(ctx); err != nil {
					failed++
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
				cancel()
			}
			require.NoError(t, read(t.Context()))
			t.Logf("%d of 150 gave up", failed)
			assert.Positive(t, failed)
			assert.Zero(t, strings.Count(log.String(), "reader is down"), log.String())
		})
	}
}
