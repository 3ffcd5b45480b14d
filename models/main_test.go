package models_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	code := m.Run()
	err := closeDatabases()
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if testing.Verbose() {
		for _, d := range databases {
			if d.ran.Load() > 0 {
				fmt.Println(d.summary())
			}
		}
	}
	return code
}
