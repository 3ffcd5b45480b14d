package manager

import (
	"context"
	"database/sql/driver"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// askedDriver notes by which URI each connection was asked for.
type askedDriver struct {
	nullDriver
	mu    sync.Mutex
	asked []string
}

type askedSource struct {
	nullSource
	driver *askedDriver
	uri    string
}

func (d *askedDriver) Open(_ context.Context, uri string) (binds.Source, error) {
	return &askedSource{driver: d, uri: uri}, nil
}

func (s *askedSource) Connector(binds.Role) driver.Connector { return &askedConnector{s} }

type askedConnector struct{ *askedSource }

func (c *askedConnector) Connect(context.Context) (driver.Conn, error) {
	c.driver.mu.Lock()
	defer c.driver.mu.Unlock()
	c.driver.asked = append(c.driver.asked, c.uri)
	return nil, os.ErrNotExist
}

func (c *askedConnector) Driver() driver.Driver { return nil }

// A bind that has a password_file no more, or another one, does not go on with the password of before.
func TestReloadChangesWhereThePasswordComesFrom(t *testing.T) {
	d := new(askedDriver)
	var drivers binds.Drivers
	drivers.Register(d, "null")
	file := filepath.Join(t.TempDir(), "config.toml")
	for name, password := range map[string]string{"one": "first", "two": "second"} {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(password), 0o600))
	}
	says := func(settings string) {
		text := "[binds.shop]\nwriter = 'null://app@host'\nlazy = true\n" + settings
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	says("password_file = 'one'")
	m, err := Open(t.Context(), file, WithDrivers(&drivers))
	require.NoError(t, err)
	defer func() { assert.NoError(t, m.Close()) }()
	asks := func() string {
		require.Error(t, m.Binds()[0].WriterEngine().Ping(t.Context()))
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.asked[len(d.asked)-1]
	}
	assert.Equal(t, "null://app:first@host", asks())
	passwordFile := filepath.Join(filepath.Dir(file), "one")
	require.NoError(t, os.WriteFile(passwordFile, nil, 0o600))
	assert.Equal(t, "null://app:first@host", asks(), "it is being written anew")
	require.NoError(t, os.Remove(passwordFile))
	assert.Equal(t, "null://app:first@host", asks())
	for _, text := range []string{"new\n", "new\r\n"} {
		require.NoError(t, os.WriteFile(passwordFile, []byte(text), 0o600))
		assert.Equal(t, "null://app:new@host", asks())
	}
	says("password_file = 'two'")
	require.NoError(t, m.Reload(t.Context()))
	assert.Equal(t, "null://app:second@host", asks())
	says("")
	require.NoError(t, m.Reload(t.Context()))
	assert.Equal(t, "null://app@host", asks())
}
