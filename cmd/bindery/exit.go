package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The exit codes. The help of the root command explains them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitImpaired    = 3
	exitInterrupted = 130
)

// A failure is an error of a command that was used as it should be. What else cobra returns is wrong use.
type failure struct {
	code int
	err  error // nil: all has been said
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit code %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usagef is wrong use of a command.
func usagef(format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...)}
}

// finish tells an error and returns the exit code.
func (a *app) finish(ctx context.Context, err error) int {
	if ctx.Err() != nil { // only a signal ends it
		var f *failure
		if err != nil && err.Error() != context.Canceled.Error() && (!errors.As(err, &f) || f.err != nil) {
			a.tell(err)
		}
		return exitInterrupted
	}
	if err == nil {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		a.tell(err)
		a.say("bindery: see %s --help\n", a.path)
		return exitUsage
	}
	if f.err != nil {
		a.tell(f.err)
	}
	return f.code
}

// tell writes an error, one line for each of those that are joined in it, all in one form.
func (a *app) tell(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			a.say("bindery: %s\n", strings.TrimPrefix(line, "bindery: "))
		}
	}
}

// say writes to standard error. Nobody is left to be told where that fails.
func (a *app) say(format string, args ...any) { _, _ = fmt.Fprintf(a.err, format, args...) }
