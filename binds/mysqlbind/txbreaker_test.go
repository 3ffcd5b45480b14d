package mysqlbind_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds/mysqlbind"
)

func TestBreaksTx(t *testing.T) {
	for reason, row := range map[string]struct {
		err  error
		want bool
	}{
		"a deadlock":                        {answer(1213, ""), true},
		"a snapshot that is too old":        {answer(1020, ""), true},
		"more locks than there is room for": {answer(1206, ""), true},
		"a conflict in a group":             {answer(1180, conflictInGroup), true},
		"a conflict in a group, at COMMIT":  {answer(3101, ""), true},
		"what a transaction is undone by":   {&mysqlbind.RolledBackError{Err: answer(1062, "")}, true},
		"a wait that timed out":             {answer(1205, ""), false},
		"a deadlock of named locks":         {answer(3058, ""), false},
		"NOWAIT":                            {answer(3572, ""), false},
		"a duplicate key":                   {answer(1062, ""), false},
		"no answer":                         {errors.New("no answer"), false},
	} {
		breaks, whole := mysqlbind.Driver{}.BreaksTx(row.err)
		assert.Equal(t, row.want, breaks, reason)
		assert.Equal(t, row.want, whole, reason)
	}
}
