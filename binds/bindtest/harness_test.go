package bindtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMissingFields(t *testing.T) {
	always := []string{"Dialect", "Driver", "FailsAtZero", "Faults", "Native", "RefusedOnReader", "Running", "Sessions", "Slow", "SlowRows", "Undo", "Writer"}
	assert.Equal(t, always, (&Harness{Embedded: true}).missing(), "an embedded database")
	assert.Subset(t, (&Harness{}).missing(), append(always, "Connections", "ConnID", "Dead", "Kill", "Login", "Secrets"), "a server")
	assert.Contains(t, (&Harness{Readers: []string{"x:"}}).missing(), "Sync", "replicas that nobody waits for")
	assert.NotContains(t, (&Harness{Dialect: dialect.PG}).missing(), "Dialect", "a field that is there")
	running := func(context.Context) (int, error) { return 0, nil }
	assert.NotContains(t, (&Harness{Running: running}).missing(), "Running", "a function that is there")
}

// A driver with a power that the harness passes over fails, and so does a power half described.
func TestMissingPowers(t *testing.T) {
	assert.Contains(t, (&Harness{Driver: positioner{}}).missing(), "Positions", "a Positioner")
	assert.NotContains(t, (&Harness{Driver: struct{ binds.Driver }{}}).missing(), "Positions", "a driver without positions")
	assert.Subset(t, (&Harness{Positions: &Positions{}}).missing(),
		[]string{"Positions.Crash", "Positions.Pause", "Positions.Received", "Positions.Resume", "Readers"})
	assert.Subset(t, (&Harness{Interrupts: &Interrupts{}}).missing(),
		[]string{"Interrupts.Freeze", "Interrupts.Held", "Interrupts.Running", "Interrupts.Thaw", "Readers"})
	some := &Harness{Readers: []string{"x:"}, Interrupts: &Interrupts{Held: "SELECT 1"}}
	assert.NotContains(t, some.missing(), "Readers")
	assert.NotContains(t, some.missing(), "Interrupts.Held")
}

type positioner struct {
	binds.Driver
	binds.Positioner
}
