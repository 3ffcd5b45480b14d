package manager

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/models"
)

// A field that equal forgot would be a change that Reload does not see.
func TestConfigsThatDiffer(t *testing.T) {
	full := func() BindConfig {
		return BindConfig{Key: "a", Writer: binds.NewURI("sqlite:a"), Readers: []ReaderConfig{{URI: binds.NewURI("sqlite:b"), Weight: 1}},
			WriterFunctions: []string{"f"}, warnings: []string{"w"}, CursorKeys: []models.CursorKey{cursorKey(t, 1)}}
	}
	one := full()
	same := one
	require.True(t, one.equal(&same))
	var change func(v reflect.Value, path string, differ func(path string))
	change = func(v reflect.Value, path string, differ func(string)) {
		v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem() // unexported ones, too
		switch {
		case v.Type() == reflect.TypeFor[binds.URI]():
			v.Set(reflect.ValueOf(binds.NewURI("sqlite:other")))
		case v.Type() == reflect.TypeFor[[]models.CursorKey]():
			v.Set(reflect.ValueOf([]models.CursorKey{cursorKey(t, 2)}))
		case v.Type() == reflect.TypeFor[[]ReaderConfig]():
			for i := range v.Index(0).NumField() {
				before := v.Index(0).Interface()
				list := reflect.ValueOf([]ReaderConfig{before.(ReaderConfig)})
				v.Set(list)
				change(v.Index(0).Field(i), path+"."+v.Index(0).Type().Field(i).Name, differ)
				v.Index(0).Set(reflect.ValueOf(before))
			}
			v.Set(reflect.ValueOf([]ReaderConfig(nil)))
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				before := reflect.ValueOf(v.Interface())
				change(v.Field(i), path+"."+v.Type().Field(i).Name, differ)
				v.Set(before)
			}
			return
		case v.Kind() == reflect.String:
			v.SetString(v.String() + "x")
		case v.Kind() == reflect.Bool:
			v.SetBool(!v.Bool())
		case v.CanInt():
			v.SetInt(v.Int() + int64(time.Second))
		case v.Kind() == reflect.Slice:
			v.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, 1), reflect.Zero(v.Type().Elem())))
		default:
			t.Fatalf("%s is a %v: how does it differ?", path, v.Type())
		}
		differ(path)
	}
	fields := 0
	for i := range reflect.TypeFor[BindConfig]().NumField() {
		other := one
		change(reflect.ValueOf(&other).Elem().Field(i), reflect.TypeFor[BindConfig]().Field(i).Name, func(path string) {
			fields++
			assert.False(t, one.equal(&other), path)
		})
	}
	assert.Greater(t, fields, 20)
}

func cursorKey(t *testing.T, fill byte) models.CursorKey {
	t.Helper()
	key, err := models.NewCursorKey(bytes.Repeat([]byte{fill}, 32))
	require.NoError(t, err)
	return key
}
