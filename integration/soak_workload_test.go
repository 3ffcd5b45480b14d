package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// A cell is a row of the history's table.
type cell struct {
	bun.BaseModel `bun:"table:cells"`
	shop

	ID int   `bun:",pk"`
	V  int64 `bun:",notnull"` // the latest value
	N  int64 `bun:",notnull"` // how often it was written
}

// A workload is many goroutines that write and read the cells through a manager, each with one
// session after another.
type workload struct {
	m       *manager.DBManager
	bind    *manager.Bind
	history *history
	seed    uint64
	workers int
	// writings are the ways to write.
	writings []writing
	// unrouted lets the workers have no sessions and claim to have some: what they find then is
	// what replicas do by themselves.
	unrouted bool

	counts
}

const (
	cellsEach = 2 // cells that a worker owns
	// opTimeout bounds a statement: longer than faults last that follow one another, on a machine with much else to do.
	opTimeout = 30 * time.Second
)

// A share is how many of some reads readers served.
type share struct{ reads, fromReaders atomic.Int64 }

func (s *share) String() string {
	return fmt.Sprintf("%.1f %% of %d", 100*float64(s.fromReaders.Load())/float64(max(s.reads.Load(), 1)), s.reads.Load())
}

// counts are what a workload reports.
type counts struct {
	mu          sync.Mutex // guards the maps and longest
	errors      map[string]int
	unexplained []string
	longest     time.Duration // read
	longestAt   string

	writes, reads, tokens atomic.Int64
	// Reads that any engine may serve, with and without a session, and those that readers served.
	inSession, outside share
}

func (c *counts) countError(class string, err error, door string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errors == nil {
		c.errors = make(map[string]int)
	}
	c.errors[class]++
	if strings.HasPrefix(class, "unexplained") && len(c.unexplained) < keepViolations {
		c.unexplained = append(c.unexplained, fmt.Sprintf("%s %s: %v", time.Now().UTC().Format("15:04:05.000"), door, err))
	}
}

func (c *counts) tookRead(d time.Duration, what func() string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > c.longest {
		c.longest, c.longestAt = d, what()
	}
}

func (w *workload) cells() int { return w.workers * cellsEach }

// prepare makes the table and its rows.
func (w *workload) prepare(ctx context.Context) error {
	if _, err := w.m.NewCreateTable((*cell)(nil)).Exec(ctx); err != nil {
		return err
	}
	rows := make([]*cell, w.cells())
	for i := range rows {
		rows[i] = &cell{ID: i}
	}
	w.history = newHistory(len(rows))
	_, err := w.m.NewInsert(&rows).Exec(ctx)
	return err
}

// run works until ctx ends.
func (w *workload) run(ctx context.Context) {
	var running sync.WaitGroup
	for i := range w.workers {
		wk := &worker{workload: w, id: i, rand: rand.New(rand.NewPCG(w.seed, uint64(i)))}
		running.Go(func() { wk.run(ctx) })
	}
	running.Wait()
}

// A worker is one goroutine of a workload.
type worker struct {
	*workload
	id   int
	rand *rand.Rand

	base     context.Context // of the present session
	observed *observed
	sessions int
}

func (w *worker) run(ctx context.Context) {
	pace := time.NewTicker(time.Duration(8+w.id%8) * time.Millisecond)
	defer pace.Stop()
	w.renew()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		switch n := w.rand.IntN(100); {
		case n < 15:
			w.write()
		case n < 80:
			w.read(reads[w.rand.IntN(len(reads))], w.some())
		case n < 90:
			w.readOnBoth()
		case n < 96:
			w.readAtOnce()
		case n < 99:
			w.renew()
		default:
			w.resume()
		}
	}
}

// renew begins a session. Every fourth worker has none: its reads show what the process wrote.
func (w *worker) renew() {
	w.sessions++
	w.observed = newObserved(fmt.Sprintf("session %d.%d", w.id, w.sessions))
	w.base = context.Background()
	switch {
	case w.unrouted:
	case w.id%4 == 3:
		w.observed.process = true
	default:
		w.base = router.NewSession(w.base)
	}
}

// resume goes on with the session's token, as another process would.
func (w *worker) resume() {
	s := router.SessionFrom(w.base)
	if s == nil {
		return
	}
	ctx, cancel := w.bounded()
	defer cancel()
	token, err := s.Token(ctx)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			w.countError("token: the writer's probe timed out", err, "token")
		} else {
			w.countError(w.classOf(err, pastRouter), err, "token")
		}
		w.renew() // what the token would have said is gone
		return
	}
	w.tokens.Add(1)
	if w.base, err = router.ResumeSession(context.Background(), token); err != nil {
		w.countError("unexplained", err, "resume")
	}
}

// bounded returns the session's context for one statement.
func (w *worker) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.base, opTimeout)
}

// some returns some cells: often the worker's own.
func (w *worker) some() []int {
	own := w.id*cellsEach + w.rand.IntN(cellsEach)
	switch w.rand.IntN(3) {
	case 0:
		return []int{own}
	case 1:
		return []int{w.rand.IntN(w.cells())}
	}
	ids := []int{own}
	for range 3 {
		ids = append(ids, w.rand.IntN(w.cells()))
	}
	return ids
}

// door says how an operation reaches the servers, and so which errors it may have.
type door uint8

const (
	routed     door = iota // the manager's builders
	pastRouter             // transactions, statements and connections: errors are the driver's
)

func (w *worker) write() {
	row := w.id*cellsEach + w.rand.IntN(cellsEach)
	how := w.writings[w.rand.IntN(len(w.writings))]
	ctx, cancel := w.bounded()
	defer cancel()
	value := w.history.begin(row)
	changed, err := how.do(ctx, w.workload, row, value)
	w.writes.Add(1)
	if err == nil {
		w.history.end(w.observed, row, value, acknowledged)
		if !changed {
			w.history.fail("%s wrote %s to row %d (%s) and was told that nothing changed: it was sent twice, or what it replaced was later",
				w.observed.name, show(value), row, how.name)
		}
		return
	}
	w.countError(w.classOf(err, how.door), err, how.name)
	var unavailable *router.UnavailableError
	if errors.As(err, &unavailable) {
		w.history.end(w.observed, row, value, denied)
		return
	}
	w.history.end(w.observed, row, value, unknown)
}

// classOf names an error, and calls it unexplained if no fault of the nemesis explains it.
func (w *worker) classOf(err error, d door) string {
	var unavailable *router.UnavailableError
	var cutOff *cutOffError
	fault := w.bind.WriterEngine().Classify(err)
	switch {
	case errors.As(err, &cutOff) && fault == binds.Unknown:
		return "rows cut off: " + fault.String()
	case errors.As(err, &unavailable) && unavailable.ReadOnly:
		return "UnavailableError (read-only)"
	case errors.As(err, &unavailable):
		return "UnavailableError"
	case errors.Is(err, router.ErrOutcomeUnknown):
		return "ErrOutcomeUnknown"
	case errors.Is(err, router.ErrWriterIsReplica):
		return "the writer's server is a replica"
	case errors.As(err, new(*router.ReadBrokenError)):
		return "ReadBrokenError"
	case errors.Is(err, router.ErrNoReader):
		return "ErrNoReader"
	case d == pastRouter && fault == binds.Retryable && errors.As(err, new(*router.WriterBehindError)):
		return "past the router: the writer could not be asked"
	case mysqlbind.Driver{}.DoubtsRole(err):
		return "not committed, by a server that is stopping"
	case errors.Is(err, context.DeadlineExceeded):
		return "unexplained: deadline" // no fault lasts that long
	case d == routed && fault == binds.Unknown: // the router names what it could not serve elsewhere
		return cutOffInScan
	case d == pastRouter && (fault == binds.NotSent || fault == binds.Busy || fault == binds.ReadOnly || fault == binds.Unknown):
		return "past the router: " + fault.String()
	}
	return "unexplained: " + fault.String()
}

// cutOffInScan are reads whose connection broke behind their first row, within a Scan. That is rare: a row comes alone.
const cutOffInScan = "rows cut off, in a Scan"

// A writing is a way to write value to a cell, once and only if that is lower. It reports whether it
// changed the cell.
type writing struct {
	name string
	door door
	do   func(ctx context.Context, w *workload, row int, value int64) (bool, error)
}

const updateCell = "UPDATE cells SET n = n + 1, v = ? WHERE id = ? AND v < ?"

var writes = []writing{
	{"builder", routed, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		return changed(w.m.NewUpdate((*cell)(nil)).Set("n = n + 1").Set("v = ?", value).
			Where("id = ?", row).Where("v < ?", value).Exec(ctx))
	}},
	{"raw", routed, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		return changed(w.m.NewRaw(shop{}, updateCell, value, row, value).Exec(ctx))
	}},
	{"RETURNING", routed, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		query := `INSERT INTO cells (id, v, n) VALUES (?0, ?1, 1) ON CONFLICT (id) DO UPDATE
			SET n = cells.n + 1, v = EXCLUDED.v WHERE cells.v < EXCLUDED.v RETURNING v`
		if d := w.bind.Dialect(); d.Name() == dialect.MySQL {
			if !d.Features().Has(feature.InsertReturning) {
				return upserted(w.m.NewRaw(shop{}, upsertCell, row, value).Exec(ctx))
			}
			query = `INSERT INTO cells (id, v, n) VALUES (?0, ?1, 1) ON DUPLICATE KEY UPDATE
				n = n + IF(v < VALUES(v), 1, 0), v = GREATEST(v, VALUES(v)) RETURNING v`
		}
		var got int64
		err := w.m.NewRaw(shop{}, query, row, value).Scan(ctx, &got)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		return got == value, err
	}},
	{"transaction", pastRouter, func(ctx context.Context, w *workload, row int, value int64) (ok bool, err error) {
		err = w.bind.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) (err error) {
			ok, err = changed(tx.NewUpdate().Model((*cell)(nil)).Set("n = n + 1").Set("v = ?", value).
				Where("id = ?", row).Where("v < ?", value).Exec(ctx))
			return err
		})
		return ok, err
	}},
	{"savepoint", pastRouter, func(ctx context.Context, w *workload, row int, value int64) (ok bool, err error) {
		err = w.bind.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			return tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) (err error) {
				ok, err = changed(tx.NewRaw(updateCell, value, row, value).Exec(ctx))
				return err
			})
		})
		return ok, err
	}},
	{"prepared statement", pastRouter, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		stmt, err := w.bind.DB().DB.PrepareContext(ctx, w.placeholders(updateCell))
		if err != nil {
			return false, err
		}
		defer func() { _ = stmt.Close() }() // its connection may be gone
		return changed(stmt.ExecContext(ctx, value, row, value))
	}},
	{"connection", pastRouter, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		conn, err := w.bind.DB().Conn(ctx)
		if err != nil {
			return false, err
		}
		defer func() { _ = conn.Close() }() // it may be broken
		return changed(conn.ExecContext(ctx, updateCell, value, row, value))
	}},
	{"bare DB", pastRouter, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		return changed(w.bind.DB().DB.ExecContext(ctx, w.placeholders(updateCell), value, row, value))
	}},
	{"Writer()", routed, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		return changed(w.bind.Writer().NewRaw(updateCell, value, row, value).Exec(ctx))
	}},
}

// callWrite writes by a function that putCell makes: to its text it is a read.
const callWrite = "SELECT put_cell(?, ?) AS changed"

// functionWrites are those writings, by the ways that lead to the writer.
var functionWrites = []writing{
	{"function", routed, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		return called(ctx, w.m.NewRaw(shop{}, callWrite, row, value))
	}},
	{"function, OnWriter", routed, func(ctx context.Context, w *workload, row int, value int64) (bool, error) {
		return called(router.OnWriter(ctx), w.m.NewRaw(shop{}, callWrite, row, value))
	}},
	{"function, InTx", pastRouter, func(ctx context.Context, w *workload, row int, value int64) (ok bool, err error) {
		err = w.m.InTx(ctx, shop{}, func(ctx context.Context) (err error) {
			ok, err = called(ctx, w.m.NewRaw(shop{}, callWrite, row, value))
			return err
		})
		return ok, err
	}},
	{"function, bare DB", pastRouter, func(ctx context.Context, w *workload, row int, value int64) (ok bool, err error) {
		var n int64
		err = w.bind.DB().DB.QueryRowContext(ctx, w.placeholders(callWrite), row, value).Scan(&n)
		return n == 1, err
	}},
}

// putCell makes the function.
func putCell(ctx context.Context, primary *integration.Server) error {
	if inMySQLFamily(primary.URI()) {
		return primary.Exec(ctx, `CREATE FUNCTION put_cell(cell INT, val BIGINT) RETURNS BIGINT DETERMINISTIC MODIFIES SQL DATA
			BEGIN UPDATE cells SET n = n + 1, v = val WHERE id = cell AND v < val; RETURN ROW_COUNT(); END`)
	}
	return primary.Exec(ctx, `CREATE FUNCTION put_cell(cell bigint, val bigint) RETURNS bigint LANGUAGE sql AS
		'WITH put AS (UPDATE cells SET n = n + 1, v = val WHERE id = cell AND v < val RETURNING 1) SELECT count(*) FROM put'`)
}

func called(ctx context.Context, q *bun.RawQuery) (bool, error) {
	var n int64
	err := q.Scan(ctx, &n)
	return n == 1, err
}

// upsertCell is for MySQL, which has no RETURNING.
const upsertCell = `INSERT INTO cells (id, v, n) VALUES (?0, ?1, 1) AS new ON DUPLICATE KEY UPDATE
	n = cells.n + IF(cells.v < new.v, 1, 0), v = GREATEST(cells.v, new.v)`

// upserted reports whether an upsert changed the row that is there: it then counts twice. Manual, section 15.2.7.2.
func upserted(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 2, err
}

func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// placeholders writes ? as the driver itself wants it, where Bun does not.
func (w *workload) placeholders(query string) string {
	if w.bind.Dialect().Name() == dialect.MySQL {
		return query
	}
	for i := 1; strings.Contains(query, "?"); i++ {
		query = strings.Replace(query, "?", fmt.Sprintf("$%d", i), 1)
	}
	return query
}

// A reading is a way to read cells.
type reading struct {
	name   string
	door   door
	free   bool          // it may be stale
	stale  time.Duration // how stale, besides
	writer bool          // it goes to the writer
	do     func(ctx context.Context, w *workload, ids []int) ([]cell, error)
}

// plain says that nothing but freshness decides which engine serves.
func (r reading) plain() bool { return r.door == routed && !r.free && !r.writer }

const maxStale = 300 * time.Millisecond

// Half of the readings are the plain one: it is what applications do.
var reads = []reading{plainReading, plainReading, plainReading, plainReading,
	{name: "raw", do: func(ctx context.Context, w *workload, ids []int) (found []cell, err error) {
		err = w.m.NewRaw(shop{}, "SELECT id, v, n FROM cells WHERE id IN (?)", bun.List(ids)).Scan(ctx, &found)
		return found, err
	}},
	{name: "rows", do: func(ctx context.Context, w *workload, ids []int) (found []cell, err error) {
		rows, err := w.m.NewSelect((*cell)(nil)).Where("id IN (?)", bun.List(ids)).Rows(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }() // rows.Err tells
		for rows.Next() {
			var c cell
			if err := w.bind.DB().ScanRow(ctx, rows, &c); err != nil {
				return nil, err
			}
			found = append(found, c)
		}
		return found, endOf(rows)
	}},
	{name: "MaxStale", stale: maxStale, do: func(ctx context.Context, w *workload, ids []int) ([]cell, error) {
		return plainReading.do(router.MaxStale(ctx, maxStale), w, ids)
	}},
	onReader, onWriter,
	{name: "bare DB", door: pastRouter, do: func(ctx context.Context, w *workload, ids []int) (found []cell, err error) {
		return scanCells(w.bind.DB().DB.QueryContext(ctx, w.placeholders("SELECT id, v, n FROM cells WHERE id = ?"), ids[0]))
	}},
	{name: "transaction", door: pastRouter, do: func(ctx context.Context, w *workload, ids []int) (found []cell, err error) {
		err = w.bind.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			return tx.NewSelect().Model(&found).Where("id IN (?)", bun.List(ids)).Scan(ctx)
		})
		return found, err
	}},
}

var plainReading = reading{name: "builder", do: func(ctx context.Context, w *workload, ids []int) (found []cell, err error) {
	err = w.m.NewSelect(&found).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return found, err
}}

var onReader = reading{name: "OnReader", free: true, do: func(ctx context.Context, w *workload, ids []int) ([]cell, error) {
	return plainReading.do(router.OnReader(ctx), w, ids)
}}

var onWriter = reading{name: "OnWriter", writer: true, do: func(ctx context.Context, w *workload, ids []int) ([]cell, error) {
	return plainReading.do(router.OnWriter(ctx), w, ids)
}}

func scanCells(rows *sql.Rows, err error) (found []cell, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		var c cell
		if err := rows.Scan(&c.ID, &c.V, &c.N); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, endOf(rows)
}

// endOf tells why rows ended, nil if they were all.
func endOf(rows *sql.Rows) error {
	if err := rows.Err(); err != nil {
		return &cutOffError{err}
	}
	return nil
}

// A cutOffError is why rows ended that the caller already had: such a read is not repeated, and its error
// is the server's.
type cutOffError struct{ error }

func (e *cutOffError) Unwrap() error { return e.error }

func (w *worker) read(how reading, ids []int) {
	ctx, cancel := w.bounded()
	defer cancel()
	ctx, route := router.Explain(ctx)
	check := w.history.begins(w.observed, how.free)
	if how.stale > 0 {
		check.noOlderThan(how.stale)
	}
	found, err := how.do(ctx, w.workload, ids)
	took, engine := time.Since(check.began), route.Engine()
	if engine == "" {
		engine = "writer"
	}
	w.tookRead(took, func() string {
		return fmt.Sprintf("%s on %s, from %s on, error %v", how.name, engine, check.began.UTC().Format("15:04:05.000"), err)
	})
	w.reads.Add(1)
	switch {
	case err != nil && how.free && strings.Contains(err.Error(), "1146"):
		w.countError("a rebuilt reader has no table yet", err, how.name) // it replays all from the beginning
		return
	case err != nil:
		w.countError(w.classOf(err, how.door), err, "read: "+how.name)
		return
	}
	if how.plain() {
		of := &w.inSession
		if w.observed.process {
			of = &w.outside
		}
		of.reads.Add(1)
		if strings.Contains(engine, "/reader-") {
			of.fromReaders.Add(1)
		}
	}
	if len(found) == 0 && !how.free {
		w.history.fail("%s found none of the rows %v on %s", w.observed.name, ids, engine)
	}
	for _, c := range found {
		check.saw(c.ID, c.V, engine+" ("+how.name+", "+route.Reason().String()+")")
	}
}

// readOnBoth lets the session read a cell on a reader, and as soon as it has that on the writer: the reader may show a commit first.
func (w *worker) readOnBoth() {
	ids := []int{w.rand.IntN(w.cells())}
	w.read(onReader, ids)
	w.read(onWriter, ids)
}

// readAtOnce lets the session do several things at the same time.
func (w *worker) readAtOnce() {
	var running sync.WaitGroup
	for range 3 {
		how, ids := reads[w.rand.IntN(len(reads))], w.some()
		running.Go(func() { w.read(how, ids) })
	}
	running.Wait()
}
