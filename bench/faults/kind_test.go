package faults

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

func TestKindOf(t *testing.T) {
	dial := func(op string, err error) error {
		return &net.OpError{Op: op, Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5432}, Err: err}
	}
	for want, errs := range map[string][]error{
		"connection refused":     {dial("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))},
		"connection lost":        {io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn, mysql.ErrInvalidConn, net.ErrClosed, dial("read", syscall.ECONNRESET), dial("write", syscall.EPIPE)},
		"deadline passed":        {context.DeadlineExceeded, dial("read", os.ErrDeadlineExceeded)},
		"server starts or stops": {errors.New("FATAL: the database system is not yet accepting connections (SQLSTATE=57P03)"), &mysql.MySQLError{Number: 1053, Message: "Server shutdown in progress"}},
		"read-only":              {&mysql.MySQLError{Number: 1290, Message: "The MariaDB server is running with the --read-only option so it cannot execute this statement"}},
		otherKind:                {errBroken},
	} {
		for _, err := range errs {
			require.Equal(t, want, kindOf(&router.UnavailableError{Engine: "accounts/writer", Err: err}), err)
			require.NotContains(t, example(err), "127.0.0.1")
		}
	}
	require.LessOrEqual(t, len([]rune(example(errors.New(strings.Repeat("ä", 1000))))), longest+1)
}
