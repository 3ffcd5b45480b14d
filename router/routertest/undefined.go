package routertest

import (
	"errors"
	"strings"

	"modernc.org/sqlite"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.UndefinedClassifier = (*Cluster)(nil)

// IsUndefined reads SQLite's message: it has no code for that.
func (c *Cluster) IsUndefined(err error) bool {
	var answer *sqlite.Error
	return errors.As(err, &answer) && strings.Contains(answer.Error(), "no such ")
}
