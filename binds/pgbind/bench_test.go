package pgbind

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

// ends is a context that can end, and does not.
func ends(t testing.TB) context.Context {
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	return ctx
}

// conns are a connection of pgdriver's own, on a plain socket and without checks, and one of this package's.
func conns(t testing.TB) (bare, watched driver.Conn) {
	src, err := Driver{}.Open(context.Background(), cluster.Primary.URI())
	require.NoError(t, err)
	conf := (&connector{settings: src.(*source).settings, sessions: &sessions{}}).config()
	conf.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	conf.ResetSessionFunc = nil
	bare, err = pgdriver.NewConnector(pgdriver.WithConfig(conf)).Connect(context.Background())
	require.NoError(t, err)
	watched, err = src.Connector(binds.Writer).Connect(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, bare.Close())
		assert.NoError(t, watched.Close())
	})
	return bare, watched
}

// takes does what database/sql does for a query on a pooled connection.
func takes(ctx context.Context, t testing.TB, c driver.Conn) {
	if err := c.(driver.SessionResetter).ResetSession(ctx); err != nil {
		t.Fatal(err)
	}
	rows, err := c.(driver.QueryerContext).QueryContext(ctx, "SELECT 1", nil)
	if err != nil {
		t.Fatal(err)
	}
	var dest [1]driver.Value
	for err == nil {
		err = rows.Next(dest[:])
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if !c.(driver.Validator).IsValid() {
		t.Fatal("not valid")
	}
}

// A statement allocates what pgdriver allocates, whether its context can end or not.
func TestQuery_allocatesNothingMore(t *testing.T) {
	bare, watched := conns(t)
	// The race detector empties pools at random: the average is no whole number, which AllocsPerRun
	// rounds down.
	average := func(ctx context.Context, c driver.Conn) float64 {
		const runs = 1000
		return testing.AllocsPerRun(1, func() {
			for range runs {
				takes(ctx, t, c)
			}
		}) / runs
	}
	want := average(context.Background(), bare) + 0.5
	assert.Less(t, average(context.Background(), watched), want)
	assert.Less(t, average(ends(t), watched), want)
}

func BenchmarkQuery(b *testing.B) {
	bare, watched := conns(b)
	for name, bench := range map[string]struct {
		c   driver.Conn
		ctx context.Context
	}{
		"bare":                 {bare, context.Background()},
		"watched":              {watched, context.Background()},
		"watched, ctx can end": {watched, ends(b)},
		"bare, ctx can end":    {bare, ends(b)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				takes(bench.ctx, b, bench.c)
			}
		})
	}
}

// BenchmarkRows reads many rows: the tap's share of each shows.
func BenchmarkRows(b *testing.B) {
	e, err := binds.Open(context.Background(), "bench", cluster.Primary.URI())
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close()) }()
	native, err := e.Native()
	require.NoError(b, err)
	for name, db := range map[string]*sql.DB{"bare": native, "watched": e.DB()} {
		b.Run(name, func(b *testing.B) {
			ctx := ends(b)
			for b.Loop() {
				rows, err := db.QueryContext(ctx, "SELECT n, n::text, 'some text of middling length' FROM generate_series(1, 10000) n")
				require.NoError(b, err)
				for rows.Next() {
					continue
				}
				require.NoError(b, rows.Err())
			}
		})
	}
}

// BenchmarkArguments compares the extended protocol with arguments that pgdriver writes into the text.
func BenchmarkArguments(b *testing.B) {
	bare, watched := conns(b)
	for name, arg := range map[string]driver.Value{"string": "it's", "bytes": []byte("bytes"), "none": nil} {
		for who, c := range map[string]driver.Conn{"text": bare, "extended": watched} {
			b.Run(name+"/"+who, func(b *testing.B) {
				b.ReportAllocs()
				query, args := "SELECT relname FROM pg_class WHERE relname = $1", []driver.NamedValue{{Ordinal: 1, Value: arg}}
				if arg == nil {
					query, args = "SELECT relname FROM pg_class WHERE relname = 'x'", nil
				}
				var row [1]driver.Value
				for b.Loop() {
					rows, err := c.(driver.QueryerContext).QueryContext(context.Background(), query, args)
					require.NoError(b, err)
					require.Equal(b, io.EOF, rows.Next(row[:]))
					require.NoError(b, rows.Close())
				}
			})
		}
	}
}

// BenchmarkValues reads values that this package parses in pgdriver's place.
func BenchmarkValues(b *testing.B) {
	bare, watched := conns(b)
	for name, query := range map[string]string{
		"times":  "SELECT now(), now()::timestamp, '2024-06-01 12:34:56.789012+00'::timestamptz FROM generate_series(1, 10000) n",
		"floats": "SELECT n / 7::float8, n::float8, n::float4 FROM generate_series(1, 10000) n",
		"bytes":  "SELECT decode(md5(n::text), 'hex') FROM generate_series(1, 10000) n",
	} {
		for who, c := range map[string]driver.Conn{"bare": bare, "watched": watched} {
			b.Run(name+"/"+who, func(b *testing.B) {
				b.ReportAllocs()
				var dest [3]driver.Value
				for b.Loop() {
					rows, err := c.(driver.QueryerContext).QueryContext(context.Background(), query, nil)
					require.NoError(b, err)
					row := dest[:len(rows.Columns())]
					for err == nil {
						err = rows.Next(row)
					}
					require.Equal(b, io.EOF, err)
					require.NoError(b, rows.Close())
				}
			})
		}
	}
}

// BenchmarkTap walks the answer of a thousand rows.
func BenchmarkTap(b *testing.B) {
	answer := message('T', "x")
	for range 1000 {
		answer = append(answer, message('D', "\x00\x02\x00\x00\x00\x0812345678\x00\x00\x00\x10some middling row")...)
	}
	answer = append(answer, stream(message('C', "SELECT 1000\x00"), message('Z', "I"))...)
	p := tapped()
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		p.owed++
		for rest := answer; len(rest) > 0; {
			n := min(8192, len(rest))
			p.received(rest[:n])
			rest = rest[n:]
		}
	}
}
