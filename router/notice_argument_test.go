package router

import (
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type argument struct {
	v   any
	err error
}

func (a argument) Value() (driver.Value, error) { return a.v, a.err }

type panicking string

func (p panicking) Value() (driver.Value, error) { panic(p) }

type textOnly struct{}

func (textOnly) CheckNamedValue(v *driver.NamedValue) error {
	s, ok := v.Value.(string)
	if !ok {
		panic("no text")
	}
	v.Value = s + "!"
	return nil
}

type skips struct{}

func (skips) CheckNamedValue(*driver.NamedValue) error { return driver.ErrSkip }

// TestCheckArgument sees that arguments are what database/sql makes of them.
func TestCheckArgument(t *testing.T) {
	failed, pointer := errors.New("failed"), &argument{v: "x"}
	for name, v := range map[string]any{
		"a number": 7, "a text": "x", "nil": nil, "a time": time.Unix(1, 0), "a value": argument{v: int64(7)}, "a pointer": &argument{v: "x"},
		"NULL": argument{}, "a nil pointer": (*argument)(nil), "an error": argument{err: failed}, "no driver's value": argument{v: 7}, "no value at all": struct{}{},
		"a pointer to a pointer": &pointer, "one to nil": new(*argument), "a kind": time.Second,
	} {
		want, wantErr := driver.DefaultParameterConverter.ConvertValue(v)
		nv := &driver.NamedValue{Value: v}
		err := checkArgument(nil, false, nv)
		require.Equal(t, wantErr, err, name)
		if err == nil {
			require.Equal(t, want, nv.Value, name)
		}
	}
	nv := &driver.NamedValue{Value: "x"}
	require.NoError(t, checkArgument(textOnly{}, false, nv))
	require.Equal(t, "x!", nv.Value)

	secret := panicking("s3cret")
	indirect := &secret
	for name, check := range map[string]func() error{
		"the value's method":        func() error { return checkArgument(nil, false, &driver.NamedValue{Value: panicking("s3cret")}) },
		"a pointer to a pointer":    func() error { return checkArgument(nil, false, &driver.NamedValue{Value: &indirect}) },
		"behind the driver's check": func() error { return checkArgument(skips{}, false, &driver.NamedValue{Value: &indirect}) },
		"a column's":                func() error { return checkArgument(skips{}, true, &driver.NamedValue{Value: indirect}) },
		"a column's converter": func() error {
			require.ErrorIs(t, checkArgument(skips{}, true, &driver.NamedValue{Value: &indirect}), driver.ErrSkip)
			_, err := columnConverter{driver.DefaultParameterConverter}.ConvertValue(&indirect)
			return err
		},
		"the driver's check": func() error { return checkArgument(textOnly{}, false, &driver.NamedValue{Value: 7}) },
	} {
		var panicked *PanicError
		err := check()
		require.ErrorAs(t, err, &panicked, name)
		require.NotContains(t, err.Error(), "s3cret", name)
	}
	require.EqualError(t, checkArgument(nil, false, &driver.NamedValue{Value: panicking("s3cret")}),
		"panic in Value of router.panicking: a router.panicking at github.com/bindery-go/bindery/router.panicking.Value (notice_argument_test.go:21)")

	plain := &driver.NamedValue{Value: int64(1)}
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = checkArgument(nil, false, plain) }))
}
