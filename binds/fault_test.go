package binds_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
)

func TestClassifyCommon(t *testing.T) {
	op := func(name string, err error) error { return &net.OpError{Op: name, Net: "tcp", Err: err} }
	connect := func(err error) error { return &binds.ConnectError{Engine: "main", Err: err} }
	for reason, row := range map[string]struct {
		err  error
		want binds.Fault
	}{
		"no error":                             {nil, binds.Unclassified},
		"no rows":                              {sql.ErrNoRows, binds.Unclassified},
		"a finished transaction":               {sql.ErrTxDone, binds.Unclassified},
		"a connection given back":              {sql.ErrConnDone, binds.Unclassified},
		"an error of the caller's own":         {errors.New("scan: bad target"), binds.Unclassified},
		"a dial refused":                       {op("dial", syscall.ECONNREFUSED), binds.NotSent},
		"a dial that timed out":                {op("dial", os.ErrDeadlineExceeded), binds.NotSent},
		"a dial cut short by its context":      {op("dial", context.Canceled), binds.NotSent},
		"a login refused":                      {connect(errors.New("wrong password")), binds.NotSent},
		"a connection lost during the login":   {connect(io.EOF), binds.NotSent},
		"a login cut short by its context":     {connect(context.DeadlineExceeded), binds.NotSent},
		"a connection that was dead before":    {driver.ErrBadConn, binds.NotSent},
		"a read that timed out":                {op("read", os.ErrDeadlineExceeded), binds.Unknown},
		"a connection reset":                   {op("read", syscall.ECONNRESET), binds.Unknown},
		"a broken pipe":                        {op("write", syscall.EPIPE), binds.Unknown},
		"the server hung up":                   {io.EOF, binds.Unknown},
		"the server hung up in a message":      {io.ErrUnexpectedEOF, binds.Unknown},
		"the connection was closed under it":   {net.ErrClosed, binds.Unknown},
		"a bare reset":                         {syscall.ECONNRESET, binds.Unknown},
		"a bare abort":                         {syscall.ECONNABORTED, binds.Unknown},
		"a bare pipe":                          {syscall.EPIPE, binds.Unknown},
		"a bare deadline of a connection":      {os.ErrDeadlineExceeded, binds.Unknown},
		"cancelled, perhaps after it was sent": {context.Canceled, binds.Unknown},
		"out of time, perhaps after":           {context.DeadlineExceeded, binds.Unknown},
	} {
		assert.Equal(t, row.want, binds.ClassifyCommon(row.err), reason)
		if row.err != nil {
			assert.Equal(t, row.want, binds.ClassifyCommon(fmt.Errorf("wrapped: %w", row.err)), reason+", wrapped")
		}
	}
}

func TestFaultString(t *testing.T) {
	for want, f := range map[string]binds.Fault{
		"unclassified": binds.Unclassified, "not_sent": binds.NotSent, "refused": binds.Refused, "canceled": binds.Canceled,
		"read_only": binds.ReadOnly, "recovery_conflict": binds.RecoveryConflict, "retryable": binds.Retryable,
		"busy": binds.Busy, "unknown": binds.Unknown, "session_ended": binds.SessionEnded, "fault(200)": 200,
	} {
		assert.Equal(t, want, f.String())
	}
}

func TestWhatLeavesTheOutcomeOpen(t *testing.T) {
	open := map[binds.Fault]bool{binds.Unknown: true, binds.SessionEnded: true}
	for f := binds.Unclassified; f <= binds.SessionEnded; f++ {
		assert.Equal(t, open[f], f.LeavesOpen(), f.String())
	}
}

func TestRoleString(t *testing.T) {
	assert.Equal(t, "writer", binds.Writer.String())
	assert.Equal(t, "reader", binds.Reader.String())
	assert.Equal(t, "role(7)", binds.Role(7).String())
}

func TestKeyString(t *testing.T) {
	assert.Equal(t, "default", binds.Key("").String())
	assert.Equal(t, "accounts", binds.Key("accounts").String())
}

func TestUnknownBindError(t *testing.T) {
	assert.EqualError(t, &binds.UnknownBindError{Key: "acounts", Known: []binds.Key{"accounts", "audit"}},
		`binds: unknown bind "acounts" (have "accounts", "audit")`)
	assert.EqualError(t, &binds.UnknownBindError{}, `binds: unknown bind "default" (have none)`)
}
