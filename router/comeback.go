package router

import "time"

// A comeback is when a reader may serve again that a read found gone. Probes alone do not tell: they can work where reads do
// not, at a login's limit of connections say. A reader that fails its reads soon after it was back waits, each time twice as long.
type comeback struct {
	back  time.Duration // when it served again last
	wait  time.Duration // after the latest failure
	until time.Duration // it serves nothing before
}

const (
	firstComeback   = 100 * time.Millisecond
	longestComeback = 10 * time.Second
	// steadyFor is how long a reader must have served to begin anew.
	steadyFor = 10 * time.Second
)

// ejected notes that a read found the reader gone, which may be known already.
func (c *comeback) ejected(now time.Duration, known bool) {
	switch {
	case known:
		return
	case c.back == 0 || now-c.back > steadyFor+c.wait:
		c.wait = 0
	case c.wait == 0:
		c.wait = firstComeback
	default:
		c.wait = min(2*c.wait, longestComeback)
	}
	c.until = now + c.wait
}

// mayReturn reports whether the reader may serve again, and notes that it does.
func (c *comeback) mayReturn(now time.Duration) bool {
	if now < c.until {
		return false
	}
	c.back = now
	return true
}
