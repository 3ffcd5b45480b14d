package scale

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/bench/internal/report"
	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/manager"
)

// A hotel is a program with many tenants, each of which was used once.
type hotel struct {
	name   string
	all    int // tenants
	max    int // open at once
	pool   binds.Pool
	uri    func(key binds.Key) string
	reader func(key binds.Key) string          // nil: none
	opened func() (connections int, err error) // of all servers; nil: files are counted
}

// row is what the model of all tenants is.
type row struct {
	bun.BaseModel `bun:"table:tenant_rows"`
	ID            int64 `bun:",pk,autoincrement"`
	Name          string
}

// A stay is what a hotel costs.
type stay struct {
	open        int
	held        footprint
	connections int
	use         time.Duration // opening, a row written and read
	again       time.Duration // the same of tenants that were closed, or are still open
}

const (
	guests = 16 // that use tenants at the same time
	second = 200
)

// measure uses every tenant once, and looks what is there when nobody uses any.
func (h *hotel) measure(ctx context.Context) (s stay, err error) {
	cfg := &manager.Config{Binds: []manager.BindConfig{{Key: "main", Writer: binds.NewURI("sqlite::memory:"), Lazy: true}}}
	m, err := manager.New(ctx, cfg, manager.WithLogger(slog.New(slog.DiscardHandler)),
		manager.WithTenants(func(_ context.Context, key binds.Key) (manager.BindConfig, error) {
			b := manager.BindConfig{Writer: binds.NewURI(h.uri(key)), Pool: h.pool}
			if h.reader != nil {
				b.Readers = []manager.ReaderConfig{{URI: binds.NewURI(h.reader(key))}}
			}
			return b, nil
		}, manager.Max(h.max), manager.Idle(-1), manager.OpenWithin(time.Minute)))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	before, err := look()
	if err != nil {
		return s, err
	}
	if s.use, err = h.visit(ctx, m, h.all); err != nil {
		return s, err
	}
	after, err := look()
	if err != nil {
		return s, err
	}
	s.held, s.open = after.since(before), len(m.Tenants())
	if s.connections = s.held.files; h.opened != nil {
		if s.connections, err = h.opened(); err != nil {
			return s, err
		}
	}
	s.again, err = h.visit(ctx, m, min(second, h.all))
	return s, err
}

// visit writes a row to each of the first n tenants and reads it, and returns what that takes for each.
func (h *hotel) visit(ctx context.Context, m *manager.DBManager, n int) (time.Duration, error) {
	began := time.Now()
	keys := make(chan binds.Key)
	var failed sync.Map
	var working sync.WaitGroup
	for range guests {
		working.Go(func() {
			for key := range keys {
				on := m.OnContext(ctx, key)
				_, err := on.NewInsert(&row{Name: string(key)}).Exec(ctx)
				if err == nil {
					err = on.NewSelect(&row{}).Limit(1).Scan(ctx)
				}
				if err != nil {
					failed.Store(key, err)
				}
			}
		})
	}
	for i := range n {
		keys <- tenantKey(i)
	}
	close(keys)
	working.Wait()
	took := time.Since(began)
	var err error
	failed.Range(func(_, e any) bool { err = e.(error); return false })
	return took / time.Duration(n), err
}

func tenantKey(i int) binds.Key { return binds.Key(fmt.Sprintf("t%d", i)) }

// RunTenants measures binds that are made on demand: on SQLite files, and on one PostgreSQL with a schema each.
func RunTenants(ctx context.Context, r *report.Run) (_ *report.Section, err error) {
	files, many, schemas, few := 10_000, 4_000, 1_000, 100 // a file that is open takes four descriptors, and not every machine lets a process have more than 20 000
	if r.Quick {
		files, many, schemas, few = 60, 60, 6, 2
	}
	dir, err := os.MkdirTemp("", "bench-tenants")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := integration.NewPostgres(ctx, 1, integration.WithSetting("fsync", "off"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := makeFiles(ctx, dir, files); err != nil {
		return nil, err
	}
	if err := makeSchemas(ctx, c, schemas); err != nil {
		return nil, err
	}

	s := &report.Section{Title: "Tenants", About: []string{
		"Binds that are made on demand (`WithTenants`), each used once by " + strconv.Itoa(guests) + " goroutines, which write a row and read it. Then nobody uses any, and what is " +
			"there is counted: with many open (no pool keeps an idle connection, but for that of a SQLite file's writer), and with few at most (with the pools' own bounds).",
	}}
	t := s.Table("At rest", "Tenants", "open", "memory, one that is open", "memory in all", "goroutines", "connections or files", "first use", "used again")
	none := binds.Pool{MaxIdle: -1}
	file := func(key binds.Key) string { return "sqlite://" + filepath.Join(dir, string(key)+".db") }
	schema := func(s *integration.Server) func(binds.Key) string {
		return func(key binds.Key) string { return with(s.URI(), "search_path="+string(key)) }
	}
	primary, replica := schema(c.Primary), schema(c.Replicas[0])
	on := func(servers ...*integration.Server) func() (int, error) {
		return func() (n int, err error) {
			for _, s := range servers {
				text, err := s.QueryString(ctx, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
				if err != nil {
					return 0, err
				}
				one, err := strconv.Atoi(strings.TrimSpace(text))
				if err != nil {
					return 0, err
				}
				n += one
			}
			return n, nil
		}
	}
	for _, h := range []hotel{
		{name: "SQLite files", all: files, max: many, pool: none, uri: file},
		{name: "SQLite files", all: files, max: few, uri: file},
		{name: "one PostgreSQL", all: schemas, max: schemas, pool: none, uri: primary, opened: on(c.Primary)},
		{name: "one PostgreSQL", all: schemas, max: few, pool: binds.Pool{MaxOpen: 4}, uri: primary, opened: on(c.Primary)},
		{name: "PostgreSQL, primary + 1", all: schemas, max: few / 2, pool: binds.Pool{MaxOpen: 4}, uri: primary, reader: replica, opened: on(c.Primary, c.Replicas[0])},
	} {
		r.Printf("tenants: %d on %s, %d open", h.all, h.name, h.max)
		got, err := h.measure(ctx)
		if err != nil {
			return nil, fmt.Errorf("scale: %d tenants on %s, %d open: %w", h.all, h.name, h.max, err)
		}
		total := float64(got.held.heap + got.held.stacks)
		t.Add(fmt.Sprintf("%d on %s", h.all, h.name), strconv.Itoa(got.open), report.Bytes(total/float64(got.open)), report.Bytes(total), strconv.Itoa(got.held.goroutines),
			strconv.Itoa(got.connections), report.Duration(got.use), report.Duration(got.again))
		r.Printf("tenants: %v", t.Rows[len(t.Rows)-1])
		s.Bar(fmt.Sprintf("%d on %s, open at once", h.all, h.name), fmt.Sprintf("at most %d", h.max), strconv.Itoa(got.open), got.open <= h.max)
		runtime.GC()
	}
	return s, nil
}

// makeFiles makes the tenants' files with their table, which is not what is measured.
func makeFiles(ctx context.Context, dir string, n int) error {
	first := filepath.Join(dir, string(tenantKey(0))+".db")
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "first", Writer: binds.NewURI("sqlite://" + first)}}},
		manager.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	if err := errors.Join(m.CreateTables(ctx, (*row)(nil)), m.Close()); err != nil {
		return err
	}
	text, err := os.ReadFile(first)
	if err != nil {
		return err
	}
	for i := 1; i < n; i++ {
		if err := os.WriteFile(filepath.Join(dir, string(tenantKey(i))+".db"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func makeSchemas(ctx context.Context, c *integration.Cluster, n int) error {
	var text strings.Builder
	for i := range n {
		key := tenantKey(i)
		fmt.Fprintf(&text, "CREATE SCHEMA %s; CREATE TABLE %[1]s.tenant_rows (id bigserial PRIMARY KEY, name varchar);\n", key)
	}
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "first", Writer: binds.NewURI(c.Primary.URI())}}},
		manager.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	_, err = m.NewRaw(binds.Key("first"), text.String()).Exec(ctx)
	if err = errors.Join(err, m.Close()); err != nil {
		return err
	}
	return c.WaitReplayed(ctx)
}

// with adds a parameter to a URI.
func with(uri, parameter string) string {
	if strings.Contains(uri, "?") {
		return uri + "&" + parameter
	}
	return uri + "?" + parameter
}
