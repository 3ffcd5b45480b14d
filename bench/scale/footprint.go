package scale

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
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

// A sight is what the process holds at one moment.
type sight struct {
	heap, stacks int64
	goroutines   map[string]bool // by their numbers, which are given once; true for those that database/sql keeps
	files        int
}

// look collects garbage, waits for what ends, and looks.
func look() (s sight, err error) {
	collect() // what nobody closed may have a finaliser that does
	s.goroutines = goroutinesIn(settle())
	collect() // the stacks' text, too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap, s.stacks = int64(m.HeapAlloc), int64(m.StackInuse)
	s.files, err = openFiles()
	return s, err
}

// since returns what has come since then. A goroutine of then that has ended meanwhile makes up for none of now.
func (s sight) since(then sight) footprint {
	f := footprint{heap: s.heap - then.heap, stacks: s.stacks - then.stacks, files: s.files - then.files}
	for number, pool := range s.goroutines {
		if _, old := then.goroutines[number]; old {
			continue
		}
		f.goroutines++
		if pool {
			f.pools++
		}
	}
	return f
}

// goroutinesIn returns the goroutines of a text of stacks, but for the runtime's own, which come and go with its work.
func goroutinesIn(stacks []byte) map[string]bool {
	all := map[string]bool{}
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		number, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		if !strings.Contains(stack, "\ncreated by runtime.") {
			all[number] = strings.Contains(stack, "\ncreated by database/sql.OpenDB ")
		}
	}
	return all
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
