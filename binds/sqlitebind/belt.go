package sqlitebind

import (
	"context"
	"slices"

	"github.com/bindery-go/bindery/binds"
)

// fasten puts the belt on a reader. A file is opened mode=ro besides, which no statement undoes.
func (c *conn) fasten(ctx context.Context) error {
	if c.role != binds.Reader {
		return nil
	}
	c.db.forbidAttach()
	return c.queryOnly(ctx, true)
}

// allowed is what statements of a role may do. A reader has a ban of its own on what attaches.
func (s *settings) allowed(role binds.Role) permissions {
	may := s.allow
	if slices.Contains(s.pragmas, pragma{"trusted_schema", onOff(true)}) {
		may |= mayTrust
	}
	if role == binds.Reader {
		may |= mayAttach
	}
	return may
}

// queryOnly makes SQLite refuse writes, temporary tables included, or allow them again.
func (c *conn) queryOnly(ctx context.Context, on bool) error {
	return c.do(ctx, func() error {
		_, err := c.raw.ExecContext(context.Background(), "PRAGMA query_only = "+onOff(on), nil)
		return err
	})
}
