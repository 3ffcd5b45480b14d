// Package racing tells whether the race detector is on.
package racing
