package scale

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"time"
)

// A footprint is what the process holds.
type footprint struct {
	heap       int64 // bytes that are reachable
	stacks     int64 // bytes of the goroutines' stacks
	goroutines int
	pools      int // of the goroutines, those that database/sql keeps, one for each pool
	files      int // -1 where the system does not tell
}

// footprintNow collects garbage, waits for what ends, and looks.
func footprintNow() (f footprint, err error) {
	collect() // what nobody closed may have a finaliser that does
	stacks := settle()
	f.goroutines = bytes.Count(stacks, []byte("\n\ngoroutine ")) + 1
	f.pools = bytes.Count(stacks, []byte("created by database/sql.OpenDB "))
	collect() // the stacks' text, too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap, f.stacks = int64(m.HeapAlloc), int64(m.StackInuse)
	f.files, err = openFiles()
	return f, err
}

func (f footprint) minus(g footprint) footprint {
	return footprint{f.heap - g.heap, f.stacks - g.stacks, f.goroutines - g.goroutines, f.pools - g.pools, f.files - g.files}
}

// collect collects garbage twice: the second time what the first one found to be finalised.
func collect() {
	runtime.GC()
	runtime.GC()
}

const (
	again  = time.Millisecond
	atMost = 2 * time.Second // then what goes on goes on
)

// settle waits until every goroutine waits for something, and returns their stacks: pools that were closed
// end theirs a moment later, and those that were opened have not looked around yet.
func settle() []byte {
	for begun := time.Now(); ; time.Sleep(again) {
		stacks := stacksOfAll()
		if !bytes.Contains(stacks, []byte(" [runnable")) || time.Since(begun) > atMost {
			return stacks
		}
	}
}

// stacksOfAll returns the text of all goroutines' stacks.
func stacksOfAll() []byte {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return buf[:n]
		}
		buf = make([]byte, 2*len(buf))
	}
}

// openFiles returns how many files and sockets the process has open.
func openFiles() (int, error) {
	all, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, os.ErrNotExist) {
		return -1, nil
	}
	return len(all), err
}
