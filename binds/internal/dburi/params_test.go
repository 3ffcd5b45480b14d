package dburi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func params(t *testing.T, query string) *Params {
	t.Helper()
	p, err := ParseParams(query)
	require.NoError(t, err)
	return p
}

func TestParamsDecode(t *testing.T) {
	for reason, row := range map[string]struct{ query, want string }{
		"plain":                      {"v=abc", "abc"},
		"a plus is a plus, as libpq": {"v=a+b", "a+b"},
		"an escaped plus":            {"v=a%2Bb", "a+b"},
		"an escaped blank":           {"v=a%20b", "a b"},
		"escaped separators":         {"v=%26%3D%3B%23%40", "&=;#@"},
		"an equals sign":             {"v=a=b==", "a=b=="},
		"an escaped name":            {"%76=x", "x"},
		"slashes and marks":          {"v=/a?b:c", "/a?b:c"},
		"empty pairs":                {"&&v=x&", "x"},
		"empty":                      {"v=", ""},
	} {
		p := params(t, row.query)
		assert.Equal(t, row.want, p.String("v", "default"), reason)
		assert.NoError(t, p.Done(), reason)
	}
}

func TestParamsValues(t *testing.T) {
	p := params(t, "s=x&many=1&many=2&mode=full&on=yes&off=0&n=7&d=1m30s&plain=3&flag=1")
	assert.Equal(t, "x", p.String("s", "y"))
	assert.Equal(t, []string{"1", "2"}, p.Strings("many"))
	assert.Equal(t, "full", p.OneOf("mode", "half", "half", "full"))
	assert.True(t, p.Bool("on", false))
	assert.False(t, p.Bool("off", true))
	assert.Equal(t, 7, p.Int("n", 1, 0, 10))
	assert.Equal(t, 90*time.Second, p.Duration("d", 0, time.Second))
	assert.Equal(t, 3*time.Second, p.Duration("plain", 0, time.Second))
	assert.True(t, p.Has("flag"))
	assert.NoError(t, p.Done())
}

func TestParamsDefaults(t *testing.T) {
	p := params(t, "")
	assert.Equal(t, "y", p.String("s", "y"))
	assert.Empty(t, p.Strings("many"))
	assert.Equal(t, "half", p.OneOf("mode", "half", "full"))
	assert.True(t, p.Bool("on", true))
	assert.Equal(t, -1, p.Int("n", -1, 0, 10), "a default may be out of bounds")
	assert.Equal(t, -time.Second, p.Duration("d", -time.Second, time.Second))
	assert.False(t, p.Has("flag"))
	assert.NoError(t, p.Done())
}

func TestParamsErrors(t *testing.T) {
	for reason, row := range map[string]struct{ query, want string }{
		"a misspelt name":            {"sslmod=full", `unknown parameter "sslmod" (did you mean "sslmode"?)`},
		"a name that nobody knows":   {"colour=red", `unknown parameter "colour" (known: level, n, on, password, sslmode, wait)`},
		"given twice":                {"sslmode=full&sslmode=full", `parameter "sslmode" is given twice`},
		"a flag given twice":         {"on=1&on=0", `parameter "on" is given twice`},
		"not one of a few":           {"sslmode=ful", `parameter "sslmode" must be one of off, full (did you mean "full"?)`},
		"no truth":                   {"on=s3cr3t", `parameter "on" must be true or false`},
		"an empty truth":             {"on=", `parameter "on" must be true or false`},
		"no number":                  {"n=s3cr3t", `parameter "n" must be a whole number from 0 to 10`},
		"too high a number":          {"n=11", `parameter "n" must be a whole number from 0 to 10`},
		"no duration":                {"wait=s3cr3t", `parameter "wait" must be a duration such as 500ms or 10s`},
		"a negative duration":        {"wait=-1s", `parameter "wait" must be a duration such as 500ms or 10s`},
		"a duration beyond all time": {"wait=9223372036854775807", `parameter "wait" must be a duration such as 500ms or 10s`},
		"two mistakes":               {"on=2&colr=1", "parameter \"on\" must be true or false\nunknown parameter \"colr\" (known: level, n, on, password, sslmode, wait)"},
		"a name that is none":        {"s3cr%20et=1", errNotAssigned.Error()},
		"the rest of a password": {"password=s3&cr3t=1",
			"an unknown parameter stands after the password: if it is part of the password, " + escape},
		"the rest of a misspelt password": {"pasword=s3&cr3t=1",
			"unknown parameter \"pasword\" (did you mean \"password\"?)\nan unknown parameter stands after the password: if it is part of the password, " + escape},
		"a misspelt name after a password": {"password=s3cr3t&sslmod=off",
			`an unknown parameter stands after the password (did you mean "sslmode"?): if it is part of the password, ` + escape},
		"a misspelt name before a password": {"sslmod=off&password=s3cr3t", `unknown parameter "sslmod" (did you mean "sslmode"?)`},
	} {
		t.Run(reason, func(t *testing.T) {
			p := params(t, row.query)
			_ = p.OneOf("sslmode", "off", "off", "full")
			_ = p.Bool("on", false)
			_ = p.Int("n", 1, 0, 10)
			_ = p.Duration("wait", 0, time.Second)
			_ = p.String("password", "")
			p.Know("level")
			_ = p.Has("n") // and names it once
			for range 2 {  // asking twice repeats nothing
				err := p.Done()
				require.EqualError(t, err, row.want)
				assert.NotContains(t, err.Error(), "cr3t")
			}
		})
	}
}
