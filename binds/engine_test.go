package binds_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

func openFake(t *testing.T, d *fakeDriver, opts ...binds.OpenOption) *binds.Engine {
	t.Helper()
	e, err := fakeDrivers(d).Open(context.Background(), "accounts/writer", hostileURI, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestEngineOpensWithoutConnecting(t *testing.T) {
	d := &fakeDriver{}
	e := openFake(t, d)
	assert.Zero(t, d.connects.Load())
	assert.Equal(t, "accounts/writer", e.Name())
	assert.Equal(t, binds.Writer, e.Role(), "the role without As")
	assert.Same(t, d, e.Driver())
	assert.False(t, e.SplitsRoles())
	require.NoError(t, e.Ping(context.Background()))
	assert.EqualValues(t, 1, d.connects.Load())
}

func TestEnginePoolsAreItsOwn(t *testing.T) {
	d := &fakeDriver{}
	small := openFake(t, d, binds.WithPool(binds.Pool{MaxOpen: 3}))
	usual := small.Sibling("accounts/reader-1", binds.As(binds.Reader))
	endless := small.Sibling("accounts/reader-2", binds.WithPool(binds.Pool{MaxOpen: -1}))
	defer func() { require.NoError(t, errors.Join(usual.Close(), endless.Close())) }()

	assert.Equal(t, 3, small.DB().Stats().MaxOpenConnections)
	assert.Equal(t, 30, usual.DB().Stats().MaxOpenConnections)
	assert.Equal(t, 0, endless.DB().Stats().MaxOpenConnections, "0 is database/sql's word for no bound")
	assert.Equal(t, binds.Pool{MaxOpen: 3, MaxIdle: 3, MaxLifetime: 30 * time.Minute, MaxIdleTime: 5 * time.Minute, MaxWait: time.Minute}, small.Pool())
	assert.Equal(t, binds.Reader, usual.Role())
	native, err := small.Native()
	require.NoError(t, err)
	assert.Equal(t, 3, native.Stats().MaxOpenConnections)
}

func TestEngineKeepsIdleConnections(t *testing.T) {
	ctx := context.Background()
	for reason, row := range map[string]struct {
		pool binds.Pool
		idle int
	}{
		"as many as may be open": {binds.Pool{}, 4},
		"no bound keeps some":    {binds.Pool{MaxOpen: -1}, 4},
		"two":                    {binds.Pool{MaxIdle: 2}, 2},
		"none":                   {binds.Pool{MaxIdle: -1}, 0},
	} {
		e := openFake(t, &fakeDriver{}, binds.WithPool(row.pool))
		var release []func() error
		for range 4 {
			c, err := e.DB().Conn(ctx)
			require.NoError(t, err, reason)
			release = append(release, c.Close)
		}
		for _, f := range release {
			require.NoError(t, f(), reason)
		}
		assert.Equal(t, row.idle, e.DB().Stats().Idle, reason)
	}
}

func TestEngineTakesTheDriversBounds(t *testing.T) {
	d := &fakeDriver{bound: func(role binds.Role, p binds.Pool) binds.Pool {
		assert.Equal(t, 30, p.MaxOpen, "defaults are filled in first")
		if role == binds.Writer {
			p.MaxOpen = 1
		}
		return p
	}}
	writer := openFake(t, d)
	reader := openFake(t, d, binds.As(binds.Reader))
	assert.Equal(t, 1, writer.DB().Stats().MaxOpenConnections)
	assert.Equal(t, 1, writer.Pool().MaxOpen)
	assert.Equal(t, 30, reader.DB().Stats().MaxOpenConnections)
	assert.True(t, writer.SplitsRoles())
}

func TestEngineNative(t *testing.T) {
	d := &fakeDriver{native: true}
	e := openFake(t, d)
	assert.Zero(t, d.natives.Load(), "the native pool opens on first use")
	native, err := e.Native()
	require.NoError(t, err)
	again, err := e.Native()
	require.NoError(t, err)
	assert.Same(t, native, again)
	assert.NotSame(t, native, e.DB())
	assert.EqualValues(t, 1, d.natives.Load())

	require.NoError(t, e.Close())
	require.Error(t, native.PingContext(context.Background()))
	assert.EqualValues(t, 2, d.closes.Load(), "both connectors are closed")
	_, err = e.Native()
	assert.EqualError(t, err, `binds: open "accounts/writer": the engine is closed`)
}

func TestEngineNativeConcurrently(t *testing.T) {
	d := &fakeDriver{native: true}
	e := openFake(t, d)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if db, err := e.Native(); err == nil {
				_ = db.PingContext(context.Background())
			}
		})
		wg.Go(func() { assert.NoError(t, e.Close()) })
	}
	wg.Wait()
	assert.EqualValues(t, 1+d.natives.Load(), d.closes.Load(), "what opened is closed, once")
}

func TestEngineCloseJoinsErrors(t *testing.T) {
	cause := errors.New("the socket is stuck")
	e := openFake(t, &fakeDriver{closeErr: cause})
	_, err := e.Native()
	require.NoError(t, err)
	const text = `binds: close "accounts/writer": the socket is stuck`
	for range 2 {
		err = e.Close()
		require.ErrorIs(t, err, cause)
		assert.EqualError(t, err, text+"\n"+text)
	}
}

func TestSiblingsCloseByThemselves(t *testing.T) {
	d := &fakeDriver{}
	writer := openFake(t, d)
	reader := writer.Sibling("accounts/reader-1", binds.As(binds.Reader))
	require.NoError(t, writer.Close())
	require.NoError(t, reader.Ping(context.Background()), "a source outlives its first engine")
	assert.EqualValues(t, 1, d.closes.Load())
	require.NoError(t, reader.Close())
	require.NoError(t, errors.Join(writer.Close(), reader.Close()))
	assert.EqualValues(t, 2, d.closes.Load())
}

func TestConnectError(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	e := openFake(t, &fakeDriver{connectErr: refused})
	_, direct := e.DB().ExecContext(context.Background(), "SELECT 1")
	for reason, err := range map[string]error{"ping": e.Ping(context.Background()), "statement": direct} {
		var connect *binds.ConnectError
		require.ErrorAs(t, err, &connect, reason)
		assert.Equal(t, "accounts/writer", connect.Engine, reason)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, reason)
		assert.EqualError(t, err, `binds: connect "accounts/writer": dial tcp: connection refused`, reason)
		assert.Equal(t, binds.NotSent, e.Classify(err), reason)
	}
}

// database/sql retries what is ErrBadConn: the engine's name must not hide it.
func TestConnectErrorUnwrapsForRetries(t *testing.T) {
	d := &fakeDriver{connectErr: driver.ErrBadConn}
	e := openFake(t, d)
	err := e.Ping(context.Background())
	require.ErrorIs(t, err, driver.ErrBadConn)
	assert.EqualValues(t, 3, d.connects.Load(), "two tries from the pool, one anew")
}

func TestPingError(t *testing.T) {
	cause := errors.New("the server is starting up")
	err := openFake(t, &fakeDriver{pingErr: cause}).Ping(context.Background())
	require.ErrorIs(t, err, cause)
	assert.EqualError(t, err, `binds: connect "accounts/writer": the server is starting up`)

	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, openFake(t, &fakeDriver{}).Ping(cancelled), context.Canceled)
}

type classifying struct{ fakeDriver }

func (*classifying) Classify(error) binds.Fault { return binds.Busy }

func TestClassifyAsksTheDriver(t *testing.T) {
	e, err := fakeDrivers(&classifying{}).Open(context.Background(), "main", hostileURI)
	require.NoError(t, err)
	assert.Equal(t, binds.Busy, e.Classify(errors.New("any")))
	require.NoError(t, e.Close())
}

func TestEnginePrintsAsItsName(t *testing.T) {
	e := openFake(t, &fakeDriver{})
	for _, verb := range verbs {
		if verb != "%T" && verb != "%p" && verb != "%w" { // fmt asks no Formatter for these
			assert.Equal(t, "accounts/writer", fmt.Sprintf(verb, e), verb)
		}
	}
	assert.Equal(t, "accounts/writer", e.String())
	text, err := json.Marshal(map[string]any{"engine": e})
	require.NoError(t, err)
	assert.JSONEq(t, `{"engine": "accounts/writer"}`, string(text))

	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("opened", "engine", e)
	slog.New(slog.NewTextHandler(&out, nil)).Info("opened", "engine", e)
	assert.Contains(t, out.String(), `"engine":"accounts/writer"`)
	assert.Contains(t, out.String(), `engine=accounts/writer`)
}

func TestEngineHidesItsSource(t *testing.T) {
	e := openFake(t, &fakeDriver{})
	type holder struct {
		Exported   *binds.Engine
		unexported *binds.Engine
		any        any
		list       []*binds.Engine
	}
	h := holder{e, e, e, []*binds.Engine{e}}
	copied := reflect.ValueOf(e).Elem().Interface() // a mistake that vet finds, but not a leak
	shownNowhere(t, e, copied, []any{copied}, h, &h, []any{e}, map[string]*binds.Engine{"e": e}, []holder{h}, e.DB(), e.Driver(), e.Pool())
}
