package sqlkind

import "fmt"

// GlobError reports a glob of writer functions that can match no function.
type GlobError struct {
	Glob   string // as it was given
	Reason string
}

func (e *GlobError) Error() string {
	return fmt.Sprintf("sqlkind: writer function %q: %s (want a name such as charge_* or billing.charge_*)", e.Glob, e.Reason)
}
