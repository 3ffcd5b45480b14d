package mysqlbind

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/schema"
)

const (
	// discoverTimeout bounds the asking for a server's version.
	discoverTimeout = 5 * time.Second
	// discoverRetry is how long a server that did not answer is not asked again.
	discoverRetry = time.Second
)

// Dialect is Bun's MySQL dialect, with these differences:
//
//   - Bun's connects when a bun.DB is made, without a bound, and logs what goes wrong. This one asks
//     for the server's version when a query first needs to know, or learns it from the pool's
//     first connection. While no server answers, and for a second after each vain attempt of at
//     most 5 seconds, or until there is another pool to ask, it has the features that every version has.
//   - It knows MariaDB: WITH over VALUES, VALUES without ROW, IF NOT EXISTS on columns. MariaDB has WITH before
//     SELECT but not before UPDATE and DELETE, for which Bun has one flag between them, feature.CTE: it is off, as in
//     Bun's own dialect. Bun writes the WITH of a query all the same, so that a bulk UPDATE ([bun.UpdateQuery.Bulk]) gets
//     error 1064; put the values into a subquery of TableExpr there, which MySQL takes as well.
//   - Times are stored in UTC, whatever zone a time.Time is in; Bun's writes the clock's reading
//     without its zone.
//   - A time.Time's column is DATETIME(6) by default, since DATETIME keeps no fraction of a second.
//     Where its default is now, that has the same precision, as MySQL demands.
//   - Text is sent as it is: a NUL is stored, not dropped, and what is no UTF-8 is refused by the
//     server, not replaced.
//   - A model's floating-point numbers keep their value beyond the range of DECIMAL, 1e65 and
//     1e-30, where Bun's way of writing them ends. Arguments of a query do not.
//
// Several bun.DBs of one bind may share a Dialect. It is safe for concurrent use.
type Dialect struct {
	*mysqldialect.Dialect // everyVersion
	tables                *schema.Tables

	found atomic.Uint64 // the features, 0 until they are known

	mu  sync.Mutex // guards dbs
	dbs []*sql.DB

	asking   sync.Mutex // held while a server is asked; guards what follows
	failedAt time.Time
	failedOf int // how many pools were asked in vain
}

var _ schema.Dialect = (*Dialect)(nil)

// everyVersion is Bun's dialect without a server or tables: nothing of it ever changes.
var everyVersion = mysqldialect.New(mysqldialect.WithTimeLocation("UTC"))

// NewDialect returns a dialect without a database.
func NewDialect() *Dialect {
	d := &Dialect{Dialect: everyVersion}
	d.tables = schema.NewTables(tableDialect{everyVersion, d})
	return d
}

// Init notes a pool that may be asked for the server's version, while that is not known. It makes no connection.
func (d *Dialect) Init(db *sql.DB) {
	if d.found.Load() != 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if db != nil && !slices.Contains(d.dbs, db) {
		d.dbs = append(d.dbs, db)
	}
}

// Tables returns the tables of the models seen.
func (d *Dialect) Tables() *schema.Tables { return d.tables }

// OnTable completes a model's table.
func (d *Dialect) OnTable(t *schema.Table) { tableDialect{d.Dialect, d}.OnTable(t) }

// Features returns what the server can do. The first call may ask it, see [Dialect].
func (d *Dialect) Features() feature.Feature {
	if f := d.found.Load(); f != 0 {
		return feature.Feature(f)
	}
	return d.discover()
}

// TableDialect returns the dialect that completes the tables of models, for who makes a [schema.Tables] of its own. It asks no server.
func (d *Dialect) TableDialect() schema.Dialect { return tableDialect{d.Dialect, d} }

// AppendString appends a string literal. Escaping byte by byte is right because every session has
// utf8mb4, in which no byte of a longer character looks like a quote, and backslash escapes.
func (d *Dialect) AppendString(b []byte, s string) []byte {
	b = append(b, '\'')
	for i := range len(s) {
		switch c := s[i]; c {
		case '\'', '\\':
			b = append(b, c, c)
		case 0:
			b = append(b, '\\', '0')
		default:
			b = append(b, c)
		}
	}
	return append(b, '\'')
}

func (d *Dialect) discover() feature.Feature {
	d.asking.Lock()
	defer d.asking.Unlock()
	if f := d.found.Load(); f != 0 {
		return feature.Feature(f)
	}
	d.mu.Lock()
	dbs := slices.Clone(d.dbs)
	d.mu.Unlock()
	v := told(dbs)
	if v == nil && (time.Since(d.failedAt) > discoverRetry || len(dbs) > d.failedOf) {
		v = asked(dbs)
		d.failedAt, d.failedOf = time.Now(), len(dbs)
	}
	base := d.Dialect.Features()
	if v == nil {
		return base
	}
	f := featuresOf(base, *v)
	d.found.Store(uint64(f))
	return f
}

// told returns the version that a connection of one of the pools was told.
func told(dbs []*sql.DB) *version {
	for _, db := range dbs {
		if p, ok := db.Driver().(*pool); ok {
			if v := p.source.version.Load(); v != nil {
				return v
			}
		}
	}
	return nil
}

// asked asks the pools one after another, each for a part of the time.
func asked(dbs []*sql.DB) *version {
	for _, db := range dbs {
		ctx, cancel := context.WithTimeout(context.Background(), discoverTimeout/time.Duration(len(dbs)))
		var text string
		err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&text)
		cancel()
		if err == nil {
			v := parseVersion(text)
			return &v
		}
	}
	return nil
}

// featuresOf adds to the features of every version what v has.
func featuresOf(base feature.Feature, v version) feature.Feature {
	if v.mariaDB {
		// MariaDB writes VALUES (1, 2), where MySQL wants VALUES ROW(1, 2). It knows no alias in a
		// DELETE from one table.
		f := base.Remove(feature.ValuesRow)
		f |= feature.WithValues | feature.CreateIndexIfNotExists | feature.AlterColumnExists |
			feature.DeleteReturning
		if v.atLeast(10, 5) {
			f |= feature.InsertReturning
		}
		return f
	}
	f := base
	if v.atLeast(8) {
		f |= feature.CTE | feature.WithValues
	}
	if v.atLeast(8, 0, 16) {
		f |= feature.DeleteTableAlias
	}
	return f
}
