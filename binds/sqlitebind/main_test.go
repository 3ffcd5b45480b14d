package sqlitebind

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(lockHelper) != "" {
		os.Exit(helpLocking())
	}
	goleak.VerifyTestMain(m)
}
