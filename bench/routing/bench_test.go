package routing

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

// benchmark is for profiles of one library at a time, and for a first look: the page's figures come
// from paired rounds.
//
//	go test -run '^$' -bench 'PointSelect/bindery$' -cpuprofile cpu.out ./routing
//	go tool pprof -top -nodecount 40 cpu.out
func benchmark(b *testing.B, op operation) {
	for _, l := range peers.All() {
		b.Run(l.Name, func(b *testing.B) {
			db, err := l.Open(b.Context(), noop.New(replicas).Peers(), peers.Options{})
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, db.Close()) })
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := op.do(ctx, db); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPointSelect(b *testing.B) { benchmark(b, pointSelect) }
func BenchmarkInsert(b *testing.B)      { benchmark(b, insert) }
func BenchmarkForUpdate(b *testing.B)   { benchmark(b, forUpdate) }
func BenchmarkRawSelect(b *testing.B)   { benchmark(b, rawSelect) }
