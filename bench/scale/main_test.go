package scale

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/bench/internal/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, peers.Leaks()...) }
