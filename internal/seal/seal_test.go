package seal

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func key(t *testing.T, b byte) Key {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{b}, KeySize))
	require.NoError(t, err)
	return k
}

func TestRing(t *testing.T) {
	plain, about := []byte("plain"), []byte("about")
	old, renewed := Ring{key(t, 1)}, Ring{key(t, 2), key(t, 1)}
	sealed := old.Seal(nil, plain, about)
	require.Len(t, sealed, len(plain)+Overhead)
	require.Equal(t, Overhead, key(t, 1).aead.Overhead())
	require.NotEqual(t, sealed, old.Seal(nil, plain, about), "each time another text")
	require.Equal(t, []byte("head"), old.Seal([]byte("head"), plain, about)[:4])

	opened, err := renewed.Open(sealed, about)
	require.NoError(t, err)
	require.Equal(t, plain, opened)
	_, err = old.Open(renewed.Seal(nil, plain, about), about)
	require.ErrorIs(t, err, ErrNoKey, "the first key seals")

	for reason, row := range map[string]struct {
		ring          Ring
		sealed, about []byte
	}{
		"another key":          {Ring{key(t, 2)}, sealed, about},
		"no key":               {nil, sealed, about},
		"about something else": {old, sealed, nil},
		"cut off":              {old, sealed[:len(sealed)-1], about},
		"too short":            {old, sealed[:Overhead-1], about},
		"nothing":              {old, nil, about},
		"something added":      {old, append(bytes.Clone(sealed), 0), about},
	} {
		_, err := row.ring.Open(row.sealed, row.about)
		require.ErrorIs(t, err, ErrNoKey, reason)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := old.Open(changed, about)
		require.ErrorIs(t, err, ErrNoKey, "byte %d changed", i)
	}
}

func TestNewKey(t *testing.T) {
	_, err := NewKey(make([]byte, 16))
	require.EqualError(t, err, "has 16 bytes: give 32 random ones")
	_, err = NewKey(make([]byte, KeySize))
	require.EqualError(t, err, "is all zeros: give 32 random bytes")
	_, err = Ring{RandomKey()}.Open(Ring{RandomKey()}.Seal(nil, nil, nil), nil)
	require.ErrorIs(t, err, ErrNoKey)
}
