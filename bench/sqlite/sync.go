package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/bindery-go/bindery/bench/internal/load"
)

// syncTime returns the median of the times to write a page to a file in dir and to sync it.
func syncTime(dir string) (_ time.Duration, err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page := make([]byte, 4096)
	took := make([]float64, 21)
	for i := range took {
		start := time.Now()
		if _, err := f.WriteAt(page, int64(i*len(page))); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took[i] = float64(time.Since(start))
	}
	return time.Duration(load.Median(took)), nil
}
