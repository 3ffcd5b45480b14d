//go:build !linux

package paired

import "time"

// threadTime is the time on the clock: no better one is told here.
func threadTime() time.Duration { return wallTime() }
