package mysqlbind

import (
	"strconv"
	"strings"
)

// version is a server's, as VERSION() tells it.
type version struct {
	text    string
	mariaDB bool
	number  [3]int
}

// parseVersion reads "8.0.36", "8.4.0-log", "10.11.19-MariaDB-0+deb12u1-log". A server that tells none
// of it is taken for the oldest MySQL.
func parseVersion(text string) version {
	v := version{text: text, mariaDB: strings.Contains(text, "MariaDB")}
	// Some servers put a number before their own that made replicas of old think well of them.
	number := text
	if v.mariaDB {
		number = strings.TrimPrefix(number, "5.5.5-")
	}
	for i := range v.number {
		digits := len(number) - len(strings.TrimLeft(number, "0123456789"))
		n, err := strconv.Atoi(number[:digits])
		if err != nil {
			break
		}
		v.number[i] = n
		if !strings.HasPrefix(number[digits:], ".") {
			break
		}
		number = number[digits+1:]
	}
	return v
}

func (v version) atLeast(number ...int) bool {
	for i, n := range number {
		if v.number[i] != n {
			return v.number[i] > n
		}
	}
	return true
}
