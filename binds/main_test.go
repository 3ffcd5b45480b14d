package binds_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
)

// panicWith is the environment variable that makes the test binary die of a panic, so that a test
// can read what the runtime prints.
const panicWith = "BINDS_TEST_PANIC_WITH"

func TestMain(m *testing.M) {
	switch os.Getenv(panicWith) {
	case "uri":
		panic(binds.NewURI(hostileURI))
	case "engine":
		e, err := fakeDrivers(&fakeDriver{}).Open(context.Background(), "main", hostileURI)
		if err == nil {
			panic(e)
		}
	}
	goleak.VerifyTestMain(m)
}
