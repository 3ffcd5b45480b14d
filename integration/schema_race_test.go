package integration_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// tablesHelper makes the test program a process that creates the tables of the school from many
// goroutines at once, as soon as its standard input says so, and says how many it has created.
const tablesHelper = "tables"

const (
	raceProcesses  = 8
	raceGoroutines = 125 // in each process: 1000 callers in all
)

// The school's tables, given in an order in which they cannot be created: a link table with a
// primary key of foreign keys, two tables in a circle, one that refers to itself.
type (
	pupil struct {
		bun.BaseModel `bun:"table:pupils"`
		shop

		ID      int64     `bun:",pk,autoincrement"`
		Email   string    `bun:",unique"`
		ClassID int64     `bun:",nullzero"`
		Class   *class    `bun:"rel:belongs-to,join:class_id=id,on_delete:CASCADE"`
		Courses []*course `bun:"m2m:attendances,join:Pupil=Course"`
	}
	class struct {
		bun.BaseModel `bun:"table:classes"`
		shop

		ID        int64  `bun:",pk,autoincrement"`
		SpeakerID int64  `bun:",nullzero"`
		Speaker   *pupil `bun:"rel:belongs-to,join:speaker_id=id"`
	}
	attendance struct {
		bun.BaseModel `bun:"table:attendances"`
		shop

		PupilID  int64   `bun:",pk"`
		Pupil    *pupil  `bun:"rel:belongs-to,join:pupil_id=id"`
		CourseID int64   `bun:",pk"`
		Course   *course `bun:"rel:belongs-to,join:course_id=id"`
	}
	course struct {
		bun.BaseModel `bun:"table:courses"`
		shop

		ID     int64 `bun:",pk,autoincrement"`
		Name   string
		Group  string  // a reserved word
		NeedID int64   `bun:",nullzero"`
		Need   *course `bun:"rel:belongs-to,join:need_id=id"`
	}
)

var school = []any{(*attendance)(nil), (*pupil)(nil), (*class)(nil), (*course)(nil), (*note)(nil)}

var schoolTables atomic.Int64

func (*pupil) AfterCreateTable(context.Context, *bun.CreateTableQuery) error {
	schoolTables.Add(1)
	return nil
}
func (*class) AfterCreateTable(context.Context, *bun.CreateTableQuery) error {
	schoolTables.Add(1)
	return nil
}
func (*course) AfterCreateTable(context.Context, *bun.CreateTableQuery) error {
	schoolTables.Add(1)
	return nil
}
func (*attendance) AfterCreateTable(context.Context, *bun.CreateTableQuery) error {
	schoolTables.Add(1)
	return nil
}

func (*course) Indexes(index func(string) *bun.CreateIndexQuery) {
	index("courses_Name").Column("name")
	index("courses_group_name").Unique().Column("group", "name")
	index("courses_" + strings.Repeat("long_", 11)).Column("name") // 63 bytes, the longest that all take
}

func (*attendance) Indexes(index func(string) *bun.CreateIndexQuery) {
	index("attendances_course").Column("course_id")
}

func createTables() int {
	if err := runTables(context.Background(), os.Getenv(siteConfig)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runTables(ctx context.Context, config string) error {
	m, err := manager.Open(ctx, config)
	if err != nil {
		return err
	}
	awaitStart()
	errs := make([]error, raceGoroutines)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = m.CreateTables(ctx, school...) })
	}
	wg.Wait()
	fmt.Println(schoolTables.Load())
	return errors.Join(append(errs, m.Close())...)
}

// awaitStart says that the process is ready, and waits for the start.
func awaitStart() {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// race starts processes of the test program in the role of a helper, lets them go at once, and returns
// what each wrote and how long it took all of them.
func race(t *testing.T, helper, config string, n int, env ...string) (outputs []string, took time.Duration) {
	t.Helper()
	type process struct {
		*exec.Cmd
		stdin io.Closer
		out   *bufio.Reader
	}
	var all []process
	for range n {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), helperVariable+"="+helper, siteConfig+"="+config)
		cmd.Env = append(cmd.Env, env...)
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		all = append(all, process{cmd, stdin, bufio.NewReader(stdout)})
	}
	ready := true
	for _, p := range all {
		line, err := p.out.ReadString('\n')
		ready = ready && assert.NoError(t, err) && assert.Equal(t, "ready\n", line)
	}
	began := time.Now()
	for _, p := range all {
		assert.NoError(t, p.stdin.Close())
	}
	for _, p := range all {
		text, err := io.ReadAll(p.out)
		assert.NoError(t, errors.Join(err, p.Wait()))
		outputs = append(outputs, strings.TrimSpace(string(text)))
	}
	require.True(t, ready)
	return outputs, time.Since(began)
}

// raceConfig writes the configuration of fresh databases to a file.
func raceConfig(t *testing.T, k kind) (file, text string) {
	t.Helper()
	writer, readers, _ := k.uris(t)
	other := writer
	if k.name == "sqlite" {
		other = strings.Replace(writer, "app.db", "audit.db", 1)
	}
	file, text = filepath.Join(t.TempDir(), "config.toml"), config(map[string]string{"shop": writer, "audit": other}, readers, "")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file, text
}

// TestThousandCallersCreateTables has eight processes of 125 goroutines each create the same tables.
func TestThousandCallersCreateTables(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			file, text := raceConfig(t, k)
			outputs, took := race(t, tablesHelper, file, raceProcesses)
			created := 0
			for _, out := range outputs {
				n, err := strconv.Atoi(out)
				require.NoError(t, err)
				created += n
			}
			assert.Equal(t, 4, created, "each table is created once, by one of the processes: %v", outputs)
			t.Logf("%s: %d callers in %d processes, no error, %d tables created once (by process: %v), %v",
				k.name, raceProcesses*raceGoroutines, raceProcesses, created, outputs, took.Round(time.Millisecond))
			checkSchool(t, openManager(t, text))
		})
	}
}

// TestThousandGoroutinesNeedTwoConnections counts the connections of a process's callers.
func TestThousandGoroutinesNeedTwoConnections(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			_, text := raceConfig(t, k)
			m := openManager(t, text)
			errs := make([]error, 1000)
			began := time.Now()
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() { errs[i] = m.CreateTables(t.Context(), school...) })
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			b, err := m.Bind(shop{})
			require.NoError(t, err)
			open := b.WriterEngine().DB().Stats().OpenConnections
			assert.LessOrEqual(t, open, 2, "of the writer's pool; the lock has one of its own")
			t.Logf("%s: 1000 goroutines, %v, %d connections of the pool", k.name, time.Since(began).Round(time.Millisecond), open)
			checkSchool(t, m)
		})
	}
}

// TestTablesAreLookedForOnTheWriter has replicas that stand still: on them no table is ever there.
func TestTablesAreLookedForOnTheWriter(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			writer, readers, c := clusterURIs(start(t))
			for _, r := range c.Replicas {
				require.NoError(t, r.PauseReplay(ctx))
			}
			text := config(map[string]string{"shop": writer, "audit": writer}, readers, "read_your_writes = 'off'")
			second := openManager(t, text)
			b, err := second.Bind(shop{})
			require.NoError(t, err)
			require.Len(t, b.Router().Health(ctx), 2)
			require.NoError(t, openManager(t, text).CreateTables(ctx, school...))
			schoolTables.Store(0)
			require.Error(t, b.Reader().NewRaw("SELECT count(*) FROM pupils").Scan(ctx, new(int)), "a reader serves, and shows none")
			require.NoError(t, second.NewRaw(shop{}, "SELECT count(*) FROM pupils").Scan(ctx, new(int)), "what it does not know is asked of the writer")
			require.NoError(t, second.Check(ctx, school...).Err())
			require.NoError(t, second.CreateTables(ctx, school...))
			assert.Zero(t, schoolTables.Load())
			require.NoError(t, second.DropTables(ctx, school...))
			assert.Len(t, second.Check(ctx, school...).Binds[0].Missing, 4)
		})
	}
}

// book lies in a schema, or database, of its own.
type book struct {
	bun.BaseModel `bun:"table:shelf.books"`
	shop

	ID    int64 `bun:",pk,autoincrement"`
	Upper int64 `bun:"Upper"`
}

func (*book) Indexes(index func(string) *bun.CreateIndexQuery) { index("books_upper").Column("Upper") }

func TestTablesOfAnotherSchema(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			writer, _, c := clusterURIs(start(t))
			grants := "CREATE SCHEMA shelf AUTHORIZATION app"
			if inMySQLFamily(name) {
				grants = "CREATE DATABASE shelf; GRANT ALL ON shelf.* TO app"
			}
			for _, statement := range strings.Split(grants, ";") {
				require.NoError(t, c.Primary.Exec(ctx, statement))
			}
			m := openManager(t, config(map[string]string{"shop": writer}, nil, ""))
			require.Len(t, m.Check(ctx, (*book)(nil)).Binds[0].Missing, 1)
			for range 2 {
				require.NoError(t, m.CreateTables(ctx, (*book)(nil)))
			}
			require.NoError(t, m.Check(ctx, (*book)(nil)).Err())
			require.NoError(t, m.ResetTables(ctx, (*book)(nil)))
			b, err := m.Bind(shop{})
			require.NoError(t, err)
			root := writeMigrations(t, map[string]string{"1_a.up.sql": "CREATE TABLE shelf.a (x INT)"})
			migrations, err := manager.MigrationsFrom(os.DirFS(root), b)
			require.NoError(t, err)
			g := b.Migrator(migrations, manager.WithMigrationsTable("shelf.notes"))
			for _, want := range []int{1, 0} {
				group, err := g.Up(ctx)
				require.NoError(t, err)
				assert.Len(t, group.Migrations, want)
			}
		})
	}
}

// checkSchool finds out whether the school's tables have their keys and indexes, resets and drops them.
func checkSchool(t *testing.T, m *manager.DBManager) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, m.Check(ctx, school...).Err())
	require.NoError(t, m.CreateTables(ctx, school...))
	insert := func(row any) error { _, err := m.NewInsert(row).Exec(ctx); return err }

	c := new(class)
	require.NoError(t, insert(c))
	p := &pupil{Email: "a@b", ClassID: c.ID}
	require.NoError(t, insert(p))
	c.SpeakerID = p.ID
	_, err := m.NewUpdate(c).WherePK().Exec(ctx)
	require.NoError(t, err)
	k := &course{Name: "x", Group: "y"}
	require.NoError(t, insert(k))
	require.NoError(t, insert(&attendance{PupilID: p.ID, CourseID: k.ID}))
	for name, row := range map[string]any{
		"foreign key":                     &pupil{Email: "c", ClassID: 77},
		"foreign key of the circle":       &class{SpeakerID: 77},
		"foreign key of a link table":     &attendance{PupilID: p.ID, CourseID: 77},
		"foreign key to the table itself": &course{Name: "z", NeedID: 77},
		"unique index of two columns":     &course{Name: "x", Group: "y"},
		"unique column":                   &pupil{Email: "a@b"},
	} {
		require.Error(t, insert(row), name)
	}

	require.NoError(t, m.ResetTables(ctx, school...), "with rows that refer to each other in a circle")
	n, err := m.NewSelect((*pupil)(nil)).Count(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)
	require.NoError(t, m.Check(ctx, school...).Err())

	// What is missing from a table that is there comes back.
	_, err = m.NewRaw(shop{}, dropIndex(m, "courses_group_name", "courses")).Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, insert(&course{Name: "x", Group: "y"}))
	require.NoError(t, m.CreateTables(ctx, school...))
	require.Error(t, insert(&course{Name: "x", Group: "y"}), "the index is there again")

	require.NoError(t, m.DropTables(ctx, school...))
	var missing *manager.MissingTableError
	require.ErrorAs(t, m.Check(ctx, school...).Err(), &missing)
	assert.Equal(t, binds.Key("shop"), missing.Bind)
}

// dropIndex returns a DROP INDEX: MySQL wants the table in it, too.
func dropIndex(m *manager.DBManager, index, table string) string {
	if m.Binds()[0].Dialect().Name() == dialect.MySQL {
		return "DROP INDEX " + index + " ON " + table
	}
	return "DROP INDEX " + index
}
