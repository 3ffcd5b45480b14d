package manager

import (
	"context"
	"database/sql/driver"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// hangingDriver makes connections that wait until they are given up.
type hangingDriver struct {
	nullDriver
	asked chan struct{}
}

func (d *hangingDriver) Open(context.Context, string) (binds.Source, error) {
	return &hangingSource{driver: d}, nil
}

type hangingSource struct {
	nullSource
	driver *hangingDriver
}

func (s *hangingSource) Connector(binds.Role) driver.Connector { return &hangingConnector{s} }

type hangingConnector struct{ *hangingSource }

func (c *hangingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	select {
	case c.driver.asked <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (c *hangingConnector) Driver() driver.Driver { return nil }

// A new writer that hangs holds up neither Drain, nor who has a deadline, nor Close; and what waited for its turn takes the file as it is then.
func TestReloadThatHangs(t *testing.T) {
	d := &hangingDriver{asked: make(chan struct{}, 1)}
	drivers := nullDrivers()
	drivers.Register(d, "hanging")
	const text = "[binds.shop]\nwriter = 'postgres://db1'\nreaders = ['postgres://db2']\nlazy = true\n"
	const hangs = "[binds.late]\nwriter = 'hanging://db3'\n"
	file := writeConfig(t, text)
	says := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	m, err := Open(t.Context(), file, WithDrivers(drivers))
	require.NoError(t, err)
	reload := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() { done <- m.Reload(ctx) }()
		return done
	}
	says(text + hangs)
	ctx, giveUp := context.WithCancel(t.Context())
	first := reload(ctx)
	<-d.asked
	require.NoError(t, m.Drain("shop/reader-1"))
	require.NoError(t, m.Undrain("shop/reader-1"))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Add(over, BindConfig{Key: "more", Writer: binds.NewURI("postgres://db4"), Lazy: true})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "another change of the binds is under way")
	require.ErrorIs(t, m.Remove(over, binds.Key("shop")), context.Canceled)
	require.ErrorIs(t, m.Reload(over), context.Canceled)
	assert.Empty(t, first, "it is still under way")

	says(text + "max_lag = '3s'\n")
	second := reload(t.Context())
	says(text + "max_lag = '4s'\n")
	giveUp()
	require.ErrorIs(t, <-first, context.Canceled)
	require.NoError(t, <-second)
	assert.Equal(t, "4s", m.Binds()[0].now().config.Freshness.MaxLag.String())

	says(text + hangs)
	third := reload(t.Context())
	<-d.asked
	fourth := reload(t.Context())
	require.NoError(t, m.Close())
	require.Error(t, <-third)
	require.ErrorIs(t, <-fourth, ErrClosed)
}
