package sqlitebind

import (
	"context"
	"strings"

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

// queryOnly makes SQLite refuse writes, temporary tables included, or allow them again.
func (c *conn) queryOnly(ctx context.Context, on bool) error {
	return c.do(ctx, func() error {
		_, err := c.raw.ExecContext(context.Background(), "PRAGMA query_only = "+onOff(on), nil)
		return err
	})
}

// mentionsQueryOnly reports whether a statement could set the pragma query_only: its name has to
// appear in one piece, quoted or not, in any case.
func mentionsQueryOnly(query string) bool {
	const name = "query_only"
	for i := 0; i+len(name) <= len(query); i++ {
		if query[i]|0x20 == 'q' && strings.EqualFold(query[i:i+len(name)], name) {
			return true
		}
	}
	return false
}
