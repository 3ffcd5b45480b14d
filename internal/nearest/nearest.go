// Package nearest finds the name that a misspelt one was meant to be.
package nearest

// Name returns the candidate closest to name by edit distance, or "" if none is close: at most a
// third of the name's letters, and at least two, may differ.
func Name(name string, candidates []string) string {
	best, limit := "", max(2, len(name)/3)
	for _, c := range candidates {
		if d := distance(name, c); d <= limit && d < len(c) {
			best, limit = c, d-1
		}
	}
	return best
}

// Hint returns ` (did you mean "x"?)`, or "" where no candidate is close.
func Hint(name string, candidates []string) string {
	if n := Name(name, candidates); n != "" {
		return ` (did you mean "` + n + `"?)`
	}
	return ""
}

// distance is the Levenshtein distance in bytes, a swap of neighbours counting as one edit.
func distance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && lower(a[i-1]) == lower(b[j-2]) && lower(a[i-2]) == lower(b[j-1]) {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
