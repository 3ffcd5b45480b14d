package faults

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/integration"
)

// A comeback tells when each library uses a server again that was gone.
type comeback struct {
	primary bool
	struck  time.Duration            // when the fault came, since the load's start
	mended  time.Duration            // when the server accepted connections, likewise
	reads   map[string]time.Duration // by database: from then to its first read there; for a reader that was started anew
}

// of returns how long after the server accepted connections a library's first read was there or,
// of a primary, its first write was acknowledged; not known if neither was seen, or cannot be.
func (b *comeback) of(c *contender, t *traffic) (took time.Duration, known bool) {
	if b.primary {
		return firstSince(t.writeEvents(), b.mended)
	}
	took, known = b.reads[c.database]
	return took, known
}

// lookEvery is how often a server is asked whose reads it has served.
const lookEvery = 20 * time.Millisecond

// awaitReads asks a server that was just started for whom it has read, until that is everybody or
// patience ends.
func (s *servers) awaitReads(ctx context.Context, server *integration.Server, patience time.Duration) (map[string]time.Duration, error) {
	first := map[string]time.Duration{}
	for start := time.Now(); time.Since(start) < patience && len(first) < len(s.contenders); {
		names, err := server.QueryString(ctx, readersOf[s.dialect])
		if err != nil {
			return nil, err
		}
		for _, name := range strings.Fields(names) {
			if _, ok := first[name]; !ok {
				first[name] = time.Since(start)
			}
		}
		if err := wait(ctx, lookEvery); err != nil {
			return nil, err
		}
	}
	return first, nil
}

// readersOf asks a server for the databases whose items it has read since it was started, for a client and not
// for replication. PostgreSQL tells each connection's latest statement; MariaDB counts rows.
var readersOf = map[dialect.Name]string{
	dialect.PG: `SELECT coalesce(string_agg(DISTINCT datname, ' '), '') FROM pg_stat_activity
		WHERE datname LIKE 'bench%' AND query LIKE '%items%'`,
	dialect.MySQL: `SELECT coalesce(group_concat(table_schema SEPARATOR ' '), '') FROM information_schema.table_statistics
		WHERE table_schema LIKE 'bench%' AND table_name = 'items' AND rows_read > 0`,
}
