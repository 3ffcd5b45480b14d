package binds

import "strconv"

// A Role is what an engine is used for.
type Role uint8

const (
	// Writer runs everything: writes, locks and reads.
	Writer Role = iota
	// Reader runs reads only; the server is told so.
	Reader
)

// String returns "writer" or "reader".
func (r Role) String() string {
	switch r {
	case Writer:
		return "writer"
	case Reader:
		return "reader"
	}
	return "role(" + strconv.Itoa(int(r)) + ")"
}
