package mysqlbind_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
)

// hostile are passwords that break URIs, DSNs and formats.
var hostile = []string{
	"Zq7Xw9@", "@Zq7Xw9", "Zq7Xw9:", ":Zq7Xw9", "Zq7Xw9/", "/Zq7Xw9", "Zq7Xw9?", "?Zq7Xw9", "Zq7Xw9#", "Zq7Xw9%", "%Zq7Xw9",
	"%zzZq7Xw9", "Zq7Xw9&x=1", "Zq7Xw9 ", "Zq7Xw9\x00", "Zq7Xw9\n", "[Zq7Xw9", "Zq7Xw9]", "tcp(Zq7Xw9)", "Zq7Xw9,b", "Zq7Xw9;", "%41Zq7Xw9",
	"a@Zq7Xw9:3306/x", "?password=Zq7Xw9", "//Zq7Xw9", "Zq7Xw9%s%d", "Zq7Xw9'\"\\", "пароль-Zq7Xw9",
}

const mark = "Zq7Xw9"

// The password appears in no error and no printed value, whether or not it was escaped.
func TestPasswordsStayInside(t *testing.T) {
	for _, password := range hostile {
		for how, text := range map[string]string{"escaped": url.QueryEscape(password), "as it is": password} {
			for where, uri := range map[string]string{
				"in its place":  "mysql://app:" + text + "@127.0.0.1:1/shop",
				"a parameter":   "mysql://app@127.0.0.1:1/shop?password=" + text,
				"misspelt":      "mysql://app@127.0.0.1:1/shop?pasword=" + text,
				"opaque":        "mysql:app:" + text + "@tcp(127.0.0.1:1)/shop",
				"a DSN":         "app:" + text + "@tcp(127.0.0.1:1)/shop",
				"a DSN as URI":  "mysql://app:" + text + "@tcp(127.0.0.1:1)/shop",
				"without host":  "mysql://app:" + text,
				"with bad port": "mysql://app:" + text + "@127.0.0.1:port/shop",
			} {
				if where == "without host" && strings.ContainsAny(text, "@/") {
					continue // then it reads as a host or a database
				}
				t.Run(fmt.Sprintf("%q %s %s", password, how, where), func(t *testing.T) {
					staysInside(t, uri)
				})
			}
		}
	}
}

func staysInside(t *testing.T, uri string) {
	e, err := binds.Open(t.Context(), "shop/writer", uri)
	if err != nil {
		shownNowhere(t, err)
		return
	}
	shownNowhere(t, e, e.DB(), e.Ping(bounded(t)))
	native, err := e.Native()
	require.NoError(t, err)
	shownNowhere(t, native.PingContext(bounded(t)), native)
	require.NoError(t, e.Close())
	src, err := mysqlbind.Driver{}.Open(t.Context(), uri)
	require.NoError(t, err)
	sources := []any{src, src.Connector(binds.Writer), src.Connector(binds.Reader),
		src.(binds.NativeSource).NativeConnector(binds.Writer), src.Connector(binds.Writer).Driver()}
	for _, v := range sources {
		shownNowhere(t, v, struct{ V any }{v}, []any{v}, &v)
		// What walks fields, as testify does for its diffs, does not find it either.
		assert.False(t, holds(reflect.ValueOf(v), map[uintptr]bool{}), "%T holds the password", v)
	}
}

func shownNowhere(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{mark, hex.EncodeToString([]byte(mark)), strings.ToUpper(hex.EncodeToString([]byte(mark)))} {
				assert.NotContains(t, text, secret, "%s of %T", verb, v)
			}
		}
		if text, err := json.Marshal(v); err == nil {
			assert.NotContains(t, string(text), mark, "JSON of %T", v)
		}
	}
}

// A login that the server refuses, and a statement that fails, tell nothing either.
func TestPasswordAtTheServer(t *testing.T) {
	for _, password := range hostile {
		uri := fmt.Sprintf("mysql://app:%s@%s/app", url.QueryEscape(password), cluster.Primary.Addr())
		if strings.ContainsAny(password, " ") {
			uri = strings.ReplaceAll(uri, "+", "%20")
		}
		e := engine(t, uri)
		err := e.Ping(bounded(t))
		require.ErrorContains(t, err, "Access denied", "%q", password)
		shownNowhere(t, err)
	}
	e := writer(t, "")
	_, err := e.DB().ExecContext(context.Background(), "SELEC")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

// holds looks for a text with the mark in whatever v leads to, unexported fields included.
func holds(v reflect.Value, seen map[uintptr]bool) bool {
	switch v.Kind() {
	case reflect.String:
		return strings.Contains(v.String(), mark)
	case reflect.Interface:
		return !v.IsNil() && holds(v.Elem(), seen)
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return false
		}
		seen[v.Pointer()] = true
		return holds(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			if holds(v.Field(i), seen) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if holds(v.Index(i), seen) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if holds(it.Key(), seen) || holds(it.Value(), seen) {
				return true
			}
		}
	}
	return false
}
