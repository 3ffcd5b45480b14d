package mysqlbind_test

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
)

type article struct {
	bun.BaseModel `bun:"table:my_articles,alias:a"`
	ID            int64     `bun:",pk,autoincrement"`
	Name          string    `bun:",notnull"`
	Price         float64   `bun:",nullzero"`
	At            time.Time `bun:",nullzero,notnull,default:current_timestamp"`
}

func articles(t *testing.T) *bun.DB {
	db := bun.NewDB(writer(t, "").DB(), mysqlbind.Driver{}.Dialect())
	require.NoError(t, db.ResetModel(bounded(t), (*article)(nil)))
	t.Cleanup(func() {
		_, err := db.NewDropTable().Model((*article)(nil)).Exec(context.WithoutCancel(t.Context()))
		require.NoError(t, err)
	})
	return db
}

// Making a bun.DB connects to nothing, and asking a dead server is over soon.
func TestDialectIsLazy(t *testing.T) {
	e := engine(t, "mysql://app:pw@127.0.0.1:1/shop")
	db := bun.NewDB(e.DB(), mysqlbind.Driver{}.Dialect())
	assert.Zero(t, e.DB().Stats().OpenConnections)
	assert.Equal(t, dialect.MySQL, db.Dialect().Name())
	assert.True(t, db.HasFeature(feature.AutoIncrement), "what every version has")
	assert.False(t, db.HasFeature(feature.InsertReturning))
	err := promptly(t, func() error { return db.NewSelect().ColumnExpr("1").Scan(bounded(t), new(int)) })
	assert.Equal(t, binds.NotSent, e.Classify(err))
}

// A frozen server holds a query up for a bounded time, and others not at all in the next second.
func TestDialectOnFrozenServer(t *testing.T) {
	e := writer(t, "?connect_timeout=500ms")
	d := mysqlbind.NewDialect()
	d.Init(e.DB())
	require.NoError(t, cluster.Primary.Freeze())
	_ = promptly(t, func() error { d.Features(); return nil })
	since := time.Now()
	d.Features()
	assert.Less(t, time.Since(since), 400*time.Millisecond, "the second question waits for no server")
	thaw(t)
	require.Eventually(t, func() bool { return d.Features().Has(server().feature) }, patience, 50*time.Millisecond,
		"a failure is remembered for ever")
}

// A pool of one connection, which a transaction holds, is not waited for: the connection itself told.
func TestDialectInsideTransaction(t *testing.T) {
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	db := bun.NewDB(e.DB(), mysqlbind.Driver{}.Dialect())
	since := time.Now()
	require.NoError(t, db.RunInTx(bounded(t), nil, func(ctx context.Context, tx bun.Tx) error {
		return tx.NewSelect().ColumnExpr("1").Scan(ctx, new(int))
	}))
	assert.Less(t, time.Since(since), 4*time.Second)
	assert.True(t, db.HasFeature(server().feature))
}

// Several bun.DBs share a dialect; whichever of their servers answers tells.
func TestDialectIsShared(t *testing.T) {
	d := mysqlbind.NewDialect()
	dead := engine(t, "mysql://app:pw@127.0.0.1:1/shop")
	alive := engine(t, cluster.Replicas[0].URI(), binds.As(binds.Reader))
	native, err := alive.Native()
	require.NoError(t, err)
	var wg sync.WaitGroup
	for _, pool := range []*sql.DB{dead.DB(), alive.DB(), native, alive.DB()} {
		wg.Go(func() {
			db := bun.NewDB(pool, d)
			for range 100 {
				_ = db.NewInsert().Model(&article{Name: "x"}).String()
			}
		})
	}
	wg.Wait()
	assert.True(t, d.Features().Has(server().feature))
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Features() }))
}

// A pool that comes while the others' servers are dead is asked at once.
func TestDialectAsksANewPool(t *testing.T) {
	d := mysqlbind.NewDialect()
	d.Init(engine(t, "mysql://app:pw@127.0.0.1:1/shop").DB())
	assert.False(t, d.Features().Has(server().feature))
	d.Init(writer(t, "").DB())
	assert.True(t, d.Features().Has(server().feature))
}

// A pool of another driver's making is asked by a query.
func TestDialectOfForeignPool(t *testing.T) {
	e := writer(t, "")
	foreign := sql.OpenDB(hidden{e.Connector()})
	defer func() { require.NoError(t, foreign.Close()) }()
	assert.True(t, bun.NewDB(foreign, mysqlbind.NewDialect()).HasFeature(server().feature))
}

// Times and texts are written as they are read.
func TestDialectText(t *testing.T) {
	d := mysqlbind.NewDialect()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("far", 3600))
	assert.Equal(t, "'2026-03-01 11:00:00.123456'", string(d.AppendTime(nil, noon)), "in UTC")
	assert.Equal(t, `x'it''s \\ a\0b'`, string(d.AppendString([]byte("x"), "it's \\ a\x00b")))
	assert.Equal(t, "'\xff'", string(d.AppendString(nil, "\xff")), "the server judges it")
	e := writer(t, "")
	for _, s := range []string{"a\x00b", "\x00", "it's", `\`, `\'`, `''`, "\x1a\r\n", "😀"} {
		var got string
		require.NoError(t, e.DB().QueryRowContext(bounded(t), "SELECT "+string(d.AppendString(nil, s))).Scan(&got), "%q", s)
		assert.Equal(t, s, got)
	}
	for _, s := range []string{"\xe0", "\xf0\x9f", "a\xffb", "\xc3"} {
		// If a broken character could hide the closing quote, the rest of the statement would be text.
		q := "SELECT " + string(d.AppendString(nil, s)) + ", ' FROM nowhere -- '"
		rows, err := e.DB().QueryContext(bounded(t), q)
		if err != nil {
			assert.Equal(t, binds.Refused, e.Classify(err), "%q: %v", s, err)
			continue
		}
		columns, err := rows.Columns()
		require.NoError(t, err)
		assert.Len(t, columns, 2, "%q", s)
		require.NoError(t, rows.Close())
	}
}

type odd struct {
	bun.BaseModel `bun:"table:my_odd"`
	ID            int64 `bun:",pk"`
	A             time.Time
	B             time.Time `bun:",type:date"`
	C             time.Time `bun:",default:now()"`
	F             float64
	P             *float32
	N             sql.NullFloat64
}

func TestDialectTables(t *testing.T) {
	db := bun.NewDB(writer(t, "").DB(), mysqlbind.NewDialect())
	q := db.NewCreateTable().Model((*odd)(nil)).String()
	assert.Contains(t, q, "`a` DATETIME(6)")
	assert.Contains(t, q, "`b` date", "the model's own choice stands")
	assert.Contains(t, q, "`c` DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6)", "MySQL wants one precision")
	p := float32(-1e30)
	q = db.NewInsert().Model(&odd{F: 1e300, P: &p, N: sql.NullFloat64{Float64: 2, Valid: true}}).String()
	assert.Contains(t, q, "1e+300, -1e+30, 2")
	assert.Contains(t, db.NewInsert().Model(&odd{F: -0.5}).String(), "-0.5, DEFAULT, NULL")
	assert.Contains(t, db.NewUpdate().Model(&odd{F: -1}).Set("f = 1 -?f").WherePK().String(), "1 - -1", "two dashes begin a comment")
}

func ExampleDriver_Open() {
	_, err := mysqlbind.Driver{}.Open(context.Background(), "mysql://app:s3cret@db1/shop?sslmode=REQUIRED&parseTime=true")
	fmt.Println(err)
	// Output:
	// parameter "parseTime" is not supported: times are always read as time.Time
	// unknown parameter "sslmode" (did you mean "ssl-mode"?)
}

// A bind's URI opens by its scheme once the package is imported.
func Example() {
	e, err := binds.Open(context.Background(), "shop/reader-1",
		"mariadb://app:s3cret@db2/shop?ssl-mode=VERIFY_IDENTITY", binds.As(binds.Reader))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e, e.Role(), e.Driver().Name())
	fmt.Println(e.Close())
	// Output:
	// shop/reader-1 reader MySQL
	// <nil>
}

type (
	singer struct {
		ID    int64   `bun:",pk"`
		Songs []*song `bun:"m2m:singers_songs,join:Singer=Song"`
	}
	song struct {
		ID int64 `bun:",pk"`
	}
	singerSong struct {
		bun.BaseModel `bun:"table:singers_songs"`
		SingerID      int64   `bun:",pk"`
		Singer        *singer `bun:"rel:belongs-to,join:singer_id=id"`
		SongID        int64   `bun:",pk"`
		Song          *song   `bun:"rel:belongs-to,join:song_id=id"`
	}
)

func TestRelationsFindTheDialectsTables(t *testing.T) {
	tables := mysqlbind.Driver{}.Dialect().Tables()
	tables.Register((*singerSong)(nil))
	rel := tables.Get(reflect.TypeFor[singer]()).Relations["Songs"]
	assert.Same(t, tables.Get(reflect.TypeFor[singerSong]()), rel.M2MTable)
	assert.Same(t, tables.Get(reflect.TypeFor[song]()), rel.JoinTable)
}
