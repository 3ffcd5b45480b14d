//go:build unix

package manager_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/manager"
)

func TestWatch(t *testing.T) {
	l := openLive(t, manager.Watch())
	b := l.mustBind(t, accounts{})
	is := func(max int) func() bool {
		return func() bool {
			return b.WriterEngine() != nil && len(b.ReaderEngines()) > 0 && b.ReaderEngines()[0].Pool().MaxOpen == max
		}
	}
	l.says(t, l.bind("accounts", "pool = { max_open = 5 }"), l.bind("audit", ""))
	require.Eventually(t, is(5), 20*time.Second, 10*time.Millisecond, "it sees the change")
	l.says(t, l.bind("accounts", "pool = { max_open = 'many' }"), l.bind("audit", ""))
	require.Eventually(t, func() bool { return strings.Contains(l.log.String(), "configuration not taken") }, 20*time.Second, 10*time.Millisecond)
	assert.True(t, is(5)())
	l.says(t, l.bind("accounts", "pool = { max_open = 6 }"), l.bind("audit", ""))
	require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGHUP))
	require.Eventually(t, is(6), 20*time.Second, 10*time.Millisecond)
}
