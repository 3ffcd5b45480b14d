package bindtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMissingFields(t *testing.T) {
	always := []string{"Dialect", "Driver", "Faults", "Native", "RefusedOnReader", "Slow", "SlowRows", "Undo", "Writer"}
	assert.Equal(t, always, (&Harness{Embedded: true}).missing(), "an embedded database")
	assert.Subset(t, (&Harness{}).missing(), append(always, "Connections", "ConnID", "Dead", "Kill", "Login", "Running", "Secrets"), "a server")
	assert.Contains(t, (&Harness{Readers: []string{"x:"}}).missing(), "Sync", "replicas that nobody waits for")
	assert.NotContains(t, (&Harness{Dialect: dialect.PG}).missing(), "Dialect", "a field that is there")
	running := func(context.Context) (int, error) { return 0, nil }
	assert.NotContains(t, (&Harness{Running: running}).missing(), "Running", "a function that is there")
}
