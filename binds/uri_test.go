package binds_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

const (
	hostilePassword = "s3cret"
	hostileURI      = "fake://app:" + hostilePassword + "@db1:5432/shop?password=" + hostilePassword
)

var verbs = []string{
	"%v", "%+v", "%#v", "%s", "%+s", "%#s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U", "%e", "%g",
	"%t", "%p", "%T", "%w", "%z", "%100v", "%-100s", "%.3s",
}

// shownNowhere checks that no way to print the values shows the hostile password, whole or in hex.
func shownNowhere(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		for form, text := range printed(v) {
			for _, secret := range []string{hostilePassword, "s3", "733363726574", "73 33 63", "[115 51 99"} {
				assert.NotContains(t, strings.ToLower(text), secret, "%T as %s", v, form)
			}
		}
	}
}

func printed(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range verbs {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["Sprint"], out["Sprintln"] = fmt.Sprint(v), fmt.Sprintln(v)
	out["Errorf"] = fmt.Errorf("failed on %v: %w", v, errors.New("cause")).Error()
	note := func(form string, text []byte, err error) { out[form] = fmt.Sprint(string(text), err) }
	text, err := json.Marshal(v)
	note("JSON", text, err)
	text, err = xml.Marshal(v)
	note("XML", text, err)
	var buf bytes.Buffer
	err = gob.NewEncoder(&buf).Encode(v)
	note("gob", buf.Bytes(), err)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Error("text", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&logged, nil)).Error("json", "v", v, slog.Group("g", "v", v))
	out["slog"] = logged.String()
	return out
}

func TestURIIsShownNowhere(t *testing.T) {
	u := binds.NewURI(hostileURI)
	type inner struct{ u binds.URI }
	type holder struct {
		Exported   binds.URI
		unexported binds.URI
		Pointer    *binds.URI
		pointer    *binds.URI
		Any        any
		list       []binds.URI
		Map        map[string]binds.URI
		inner
	}
	h := holder{u, u, &u, &u, u, []binds.URI{u}, map[string]binds.URI{"a": u}, inner{u}}
	shownNowhere(t, u, &u, h, &h, []binds.URI{u}, [1]binds.URI{u}, map[string]binds.URI{"a": u}, []any{u, &u},
		map[string]any{"a": h}, []*holder{&h}, struct{ U *binds.URI }{&u}, u.Reveal)
}

func TestURIPrintsAFixedText(t *testing.T) {
	u := binds.NewURI(hostileURI)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Equal(t, "[URI withheld]", fmt.Sprintf(verb, u), verb)
		assert.Empty(t, fmt.Sprintf(verb, binds.URI{}), verb)
	}
	text, err := json.Marshal(struct{ U, Zero binds.URI }{U: u})
	require.NoError(t, err)
	assert.JSONEq(t, `{"U":"[URI withheld]","Zero":""}`, string(text))
}

func TestURIContent(t *testing.T) {
	u := binds.NewURI(hostileURI)
	assert.Equal(t, hostileURI, u.Reveal())
	assert.False(t, u.IsZero())
	assert.True(t, u.Equal(binds.NewURI(hostileURI)))
	assert.False(t, u.Equal(binds.NewURI("fake://other")))
	for _, zero := range []binds.URI{{}, binds.NewURI("")} {
		assert.True(t, zero.IsZero())
		assert.Empty(t, zero.Reveal())
		assert.True(t, zero.Equal(binds.URI{}))
	}
	var read struct{ U, None binds.URI }
	require.NoError(t, json.Unmarshal([]byte(`{"U":"fake://app:s3cret@h","None":""}`), &read))
	assert.Equal(t, "fake://app:s3cret@h", read.U.Reveal())
	assert.True(t, read.None.IsZero())
}

// What the runtime prints of an uncaught panic is the last line that many logs hold.
func TestPanicTextHidesThePassword(t *testing.T) {
	for value, shown := range map[string]string{"uri": "[URI withheld]", "engine": "main"} {
		cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), panicWith+"="+value)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(out), "panic: ")
		assert.Contains(t, string(out), shown)
		assert.NotContains(t, string(out), hostilePassword)
	}
}

func TestErrorsHideWhatTheyWrap(t *testing.T) {
	_, err := new(binds.Drivers).Open(context.Background(), "main", hostileURI)
	shownNowhere(t, err)
	e, err := fakeDrivers(&fakeDriver{connectErr: errors.New("refused")}).Open(context.Background(), "main", hostileURI)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	shownNowhere(t, e.Ping(context.Background()))
}
