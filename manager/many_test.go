package manager

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestManyBinds opens ten times as many binds with ten times the memory, and no more.
func TestManyBinds(t *testing.T) {
	for scheme, reason := range map[string]string{"postgres": "servers with readers", "sqlite": "files with readers"} {
		opened := func(binds int) (bytes, objects uint64) {
			file := writeConfig(t, manyBinds(scheme, binds))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m, err := Open(t.Context(), file, WithDrivers(nullDrivers()))
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Len(t, m.Binds(), binds)
			require.NoError(t, m.Close())
			return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
		}
		opened(1) // what is made once
		bytes, objects := opened(100)
		tenfoldBytes, tenfoldObjects := opened(1000)
		assert.Less(t, float64(tenfoldBytes)/float64(bytes), 11.0, "bytes, %s", reason)
		assert.Less(t, float64(tenfoldObjects)/float64(objects), 11.0, "objects, %s", reason)
	}
}

// manyBinds is a configuration of n lazy binds with a writer and two readers each.
func manyBinds(scheme string, n int) string {
	var text strings.Builder
	text.WriteString("lazy = true\n")
	for i := range n {
		fmt.Fprintf(&text, "\n[binds.bind%d]\nwriter = \"%s://w/%d\"\nreaders = [\"%[2]s://r/%[3]d\", \"%[2]s://s/%[3]d\"]\n", i, scheme, i)
	}
	return text.String()
}

// BenchmarkOpen opens 1 000 binds with two readers each from a file, and does nothing but read that file.
func BenchmarkOpen(b *testing.B) {
	drivers := nullDrivers()
	file := writeConfig(b, manyBinds("postgres", 1000))
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := loadConfig(b.Context(), file, drivers)
			require.NoError(b, err)
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m, err := Open(b.Context(), file, WithDrivers(drivers))
			require.NoError(b, err)
			b.StopTimer()
			require.NoError(b, m.Close())
			b.StartTimer()
		}
	})
}
