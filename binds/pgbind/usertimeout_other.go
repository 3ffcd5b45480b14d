//go:build !linux

package pgbind

import (
	"syscall"
	"time"
)

const hasUserTimeout = false

func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }
