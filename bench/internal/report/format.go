package report

import (
	"fmt"
	"strconv"
	"time"
)

// Duration formats d with three digits: 1.23 s, 45.6 ms, 789 µs, 61.5 ns.
func Duration(d time.Duration) string { return Nanoseconds(float64(d)) }

// Nanoseconds formats ns with three digits, fractions of a nanosecond included.
func Nanoseconds(ns float64) string {
	size := max(ns, -ns)
	switch {
	case size >= 1e9:
		return digits(ns/1e9) + " s"
	case size >= 1e6:
		return digits(ns/1e6) + " ms"
	case size >= 1e3:
		return digits(ns/1e3) + " µs"
	}
	return digits(ns) + " ns"
}

// Bytes formats a number of bytes with three digits: 96 B, 1.25 kB, 3.40 MB.
func Bytes(n float64) string {
	size := max(n, -n)
	switch {
	case size >= 1e6:
		return digits(n/1e6) + " MB"
	case size >= 1e3:
		return digits(n/1e3) + " kB"
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + " B"
}

// Percent formats part/whole as a percentage, or "-" of nothing.
func Percent[T int | int64 | float64](part, whole T) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// Ratio formats a/b, or "-" of nothing.
func Ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return digits(a/b) + "×"
}

// Rate formats n events in d as events a second.
func Rate(n int, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return strconv.FormatFloat(float64(n)/d.Seconds(), 'f', 0, 64) + "/s"
}

func digits(f float64) string {
	size := max(f, -f)
	switch {
	case size >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}
