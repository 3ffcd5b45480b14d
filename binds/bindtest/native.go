package bindtest

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// Native connections are of the driver's own type, and see the same database.
func (s *suite) natives(t *testing.T) {
	w := s.writer(t)
	s.table(t, w, "bindtest_native", "id INTEGER PRIMARY KEY")
	exec(t, w, "INSERT INTO bindtest_native (id) VALUES (7)")
	for _, e := range []*binds.Engine{w, s.readers(t, w)[0].Engine} {
		t.Run(e.Name(), func(t *testing.T) {
			native, err := e.Native()
			require.NoError(t, err)
			again, err := e.Native()
			require.NoError(t, err)
			assert.Same(t, native, again)
			require.NoError(t, pinned(ctx(t), native, func(c *sql.Conn) error { return c.Raw(s.Native) }))
			var id int
			require.NoError(t, native.QueryRowContext(ctx(t), "SELECT id FROM bindtest_native").Scan(&id))
			assert.Equal(t, 7, id)
		})
	}
	t.Run("a reader's keep its belt", func(t *testing.T) {
		r := s.readers(t, w)[0]
		native, err := r.Native()
		require.NoError(t, err)
		_, err = native.ExecContext(ctx(t), "INSERT INTO bindtest_native (id) VALUES (8)")
		s.assertRefused(t, r.Engine, err, nil)
		assert.Equal(t, "1", value(t, w, "SELECT count(*) FROM bindtest_native"))
	})
}
