package paired

import "time"

var began = time.Now()

// wallTime is the time on the clock since the program began.
func wallTime() time.Duration { return time.Since(began) }
