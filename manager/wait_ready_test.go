package manager_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/manager"
)

// A program starts before the directory of its database is there.
func TestWaitReady(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	cfg := &manager.Config{Binds: []manager.BindConfig{{Key: "accounts", Writer: binds.NewURI("sqlite://" + filepath.ToSlash(dir) + "/app.db")}}}
	var log testlog.Buffer
	logger := manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))
	_, err := manager.New(t.Context(), cfg, logger)
	require.Error(t, err, "without the option it is asked once")
	began := time.Now()
	_, err = manager.New(t.Context(), cfg, logger, manager.WaitReady(250*time.Millisecond))
	require.Error(t, err)
	assert.GreaterOrEqual(t, time.Since(began), 250*time.Millisecond)
	assert.ErrorContains(t, err, "accounts/writer")
	log.Reset()

	opened := make(chan error, 1)
	go func() {
		m, err := manager.New(t.Context(), cfg, logger, manager.WaitReady(time.Minute))
		if err == nil {
			err = m.Close()
		}
		opened <- err
	}()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "it is waited for") }, 10*time.Second, time.Millisecond)
	assert.Empty(t, opened)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, <-opened)
	assert.Equal(t, 1, strings.Count(log.String(), "it is waited for"))
}
