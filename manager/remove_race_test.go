package manager_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// A removingPolicy does something after a read was routed, and before it has a connection.
type removingPolicy struct{ remove func() }

func (p *removingPolicy) Pick(readers []*router.Reader) *router.Reader {
	p.remove()
	return readers[0]
}

// A statement that is on its way to its pool when the bind is removed is told so, not that some pool is closed.
func TestRemoveBeforeAConnectionIsHad(t *testing.T) {
	p := &removingPolicy{remove: func() {}}
	l := openLive(t, manager.WithPolicy(accounts{}, p))
	l.says(t, l.bind("accounts", fmt.Sprintf("readers = ['sqlite://%[1]s/accounts.db', 'sqlite://%[1]s/accounts.db']", l.dir)), l.bind("audit", ""))
	require.NoError(t, l.Reload(t.Context()))
	var once sync.Once
	p.remove = func() { once.Do(func() { assert.NoError(t, l.Remove(t.Context(), accounts{})) }) }
	_, err := l.NewSelect((*user)(nil)).Count(t.Context())
	var gone *router.RemovedBindError
	require.ErrorAs(t, err, &gone)
}
