package sqlitebind

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/binds"
)

func TestFaultOfCode(t *testing.T) {
	for reason, row := range map[string]struct {
		code int
		want binds.Fault
	}{
		"a read-only file":                 {sqlite3.SQLITE_READONLY, binds.ReadOnly},
		"a read-only directory":            {sqlite3.SQLITE_READONLY_DIRECTORY, binds.ReadOnly},
		"an interrupt":                     {sqlite3.SQLITE_INTERRUPT, binds.Canceled},
		"a lock of another connection":     {sqlite3.SQLITE_BUSY, binds.Retryable},
		"a snapshot that is too old":       {sqlite3.SQLITE_BUSY_SNAPSHOT, binds.Retryable},
		"a log that is being recovered":    {sqlite3.SQLITE_BUSY_RECOVERY, binds.Retryable},
		"a lock of the connection's own":   {sqlite3.SQLITE_LOCKED, binds.Retryable},
		"a schema that changed":            {sqlite3.SQLITE_SCHEMA, binds.Retryable},
		"a sync that failed":               {sqlite3.SQLITE_IOERR_FSYNC, binds.Unknown},
		"a key that exists":                {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, binds.Refused},
		"a full disk":                      {sqlite3.SQLITE_FULL, binds.Refused},
		"a broken file":                    {sqlite3.SQLITE_CORRUPT, binds.Refused},
		"a file that cannot be attached":   {sqlite3.SQLITE_CANTOPEN, binds.Refused},
		"bad SQL":                          {sqlite3.SQLITE_ERROR, binds.Refused},
		"no error at all":                  {sqlite3.SQLITE_OK, binds.Unclassified},
		"the end of the rows, no error":    {sqlite3.SQLITE_DONE, binds.Unclassified},
		"a cursor that a rollback cut off": {sqlite3.SQLITE_ABORT_ROLLBACK, binds.Refused},
	} {
		assert.Equal(t, row.want.String(), faultOf(row.code).String(), reason)
	}
}

func TestClassifyOwnErrors(t *testing.T) {
	cause := errors.New("cause")
	for reason, row := range map[string]struct {
		err  error
		want binds.Fault
	}{
		"stopped by its context":       {&InterruptedError{Context: context.Canceled, Err: cause}, binds.Canceled},
		"a lock waited for in vain":    {&BusyError{Waited: time.Second, Err: cause}, binds.Retryable},
		"a transaction lost":           {ErrTxLost, binds.Refused},
		"no file":                      {&binds.ConnectError{Engine: "a/writer", Err: &MissingError{Path: "/x"}}, binds.NotSent},
		"a lock while connecting":      {&binds.ConnectError{Engine: "a/writer", Err: &BusyError{Err: cause}}, binds.NotSent},
		"a context nobody knows about": {context.Canceled, binds.Unknown},
		"an error of Go":               {cause, binds.Unclassified},
		"no error":                     {nil, binds.Unclassified},
	} {
		assert.Equal(t, row.want.String(), New().Classify(row.err).String(), reason)
		if row.err != nil {
			assert.Equal(t, row.want.String(), New().Classify(fmt.Errorf("shop: %w", row.err)).String(), reason)
		}
	}
}
