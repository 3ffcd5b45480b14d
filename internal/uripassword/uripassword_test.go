package uripassword_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/uripassword"
)

func TestWithEscapes(t *testing.T) {
	for uri, want := range map[string]string{
		"postgres://app@db/x?a=b": "postgres://app:p%40s%2Fw%3Fo%23r%25d%20@db/x?a=b",
		"postgres://app@db":       "postgres://app:p%40s%2Fw%3Fo%23r%25d%20@db",
	} {
		got, err := uripassword.With(uri, "p@s/w?o#r%d ")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := uripassword.With("postgres://@db/x", "x")
	require.ErrorIs(t, err, uripassword.ErrNoUser)
}

func TestWith(t *testing.T) {
	for _, password := range []string{"plain", "p@ss:w/o?r#d%&=+ ", "ünï", "\x00"} {
		text, err := uripassword.With("postgres://app@db1:5432/shop?sslmode=disable", password)
		require.NoError(t, err)
		u, err := url.Parse(text)
		require.NoError(t, err)
		got, _ := u.User.Password()
		assert.Equal(t, password, got)
		assert.Equal(t, "db1:5432", u.Host)
		assert.True(t, uripassword.Carries(text))
		assert.False(t, uripassword.Wants(text))
	}
	for uri, want := range map[string]error{
		"postgres://db1/shop": uripassword.ErrNoUser, "sqlite:app.db": uripassword.ErrNoUser, "postgres://db1/sh@op": uripassword.ErrNoUser,
		"postgres://app:x@db1/shop": uripassword.ErrHasOne, "postgres://app:@db1/shop": uripassword.ErrHasOne,
	} {
		_, err := uripassword.With(uri, "x")
		require.ErrorIs(t, err, want, uri)
	}
	assert.True(t, uripassword.Carries("postgres://db1/shop?password=x"))
	assert.True(t, uripassword.Wants("mysql://app@db1/shop"))
	assert.False(t, uripassword.Wants("postgres://app@db1/shop?user=x&password=y"))
	assert.False(t, uripassword.Wants("sqlite:///a@b.db"))
}
