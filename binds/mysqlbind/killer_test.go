package mysqlbind

import (
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
)

func TestIsSame(t *testing.T) {
	begun := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := session{id: 40, server: "db1/3306/1", since: begun}
	for reason, row := range map[string]struct {
		own     session
		started time.Time
		want    bool
	}{
		"the server ran all along":              {session{id: 41, server: "db1/3306/1"}, begun.Add(-time.Hour), true},
		"it started a moment before":            {session{id: 41, server: "db1/3306/1"}, begun, true},
		"uptime is counted in whole seconds":    {session{id: 41, server: "db1/3306/1"}, begun.Add(time.Second), true},
		"restarted since":                       {session{id: 41, server: "db1/3306/1"}, begun.Add(time.Minute), false},
		"another server behind a load balancer": {session{id: 41, server: "db2/3306/2"}, begun.Add(-time.Hour), false},
		"identifiers begin anew":                {session{id: 7, server: "db1/3306/1"}, begun, false},
	} {
		t.Run(reason, func(t *testing.T) { assert.Equal(t, row.want, isSame(s, row.own, row.started)) })
	}
}

func TestKillerClosesTwice(t *testing.T) {
	k := newKiller(nil)
	k.close()
	k.close()
	k.add(session{id: 1}) // too late: nothing is started
	assert.Nil(t, k.worker)
	assert.Empty(t, k.queue)
}

// Errors of connecting that have a cure name it. These need a server that is not at hand.
func TestExplain(t *testing.T) {
	s := &source{}
	ctx := t.Context()
	for cure, err := range map[string]error{
		"give ssl-mode=VERIFY_IDENTITY":  &mysql.MySQLError{Number: 3159, Message: "insecure transport"},
		"give enable-cleartext-plugin=1": mysql.ErrCleartextPassword,
	} {
		explained := s.explain(ctx, ctx, err)
		assert.ErrorContains(t, explained, cure)
		assert.ErrorIs(t, explained, err)
	}
	other := &mysql.MySQLError{Number: 1045}
	assert.Equal(t, other, s.explain(ctx, ctx, other))
}
