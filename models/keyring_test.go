package models_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/models"
)

// testKeys is the key ring of the test's models.
var testKeys = mustRing(mustKey("2026-a", 1))

func mustKey(id string, seed byte) *models.Key {
	k, err := models.NewKey(id, bytes.Repeat([]byte{seed}, models.KeySize))
	if err != nil {
		panic(err)
	}
	return k
}

func mustRing(current *models.Key, old ...*models.Key) *models.KeyRing {
	ring, err := models.NewKeyRing(current, old...)
	if err != nil {
		panic(err)
	}
	return ring
}

func TestNewKeyRefuses(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, models.KeySize)
	for name, test := range map[string]struct {
		id     string
		secret []byte
		err    string
	}{
		"no id":           {"", secret, "models: bad key: its id has 0 bytes, not 1 to 255"},
		"a long id":       {strings.Repeat("x", 256), secret, "models: bad key: its id has 256 bytes, not 1 to 255"},
		"no secret":       {"k", nil, `models: bad key: "k" has 0 bytes, not 32`},
		"an AES-128 key":  {"k", secret[:16], `models: bad key: "k" has 16 bytes, not 32`},
		"a long secret":   {"k", append(secret, 1), `models: bad key: "k" has 33 bytes, not 32`},
		"the zero secret": {"k", make([]byte, models.KeySize), `models: bad key: "k" is all zeros`},
	} {
		k, err := models.NewKey(test.id, test.secret)
		require.ErrorIs(t, err, models.ErrBadKey, name)
		require.EqualError(t, err, test.err, name)
		require.Nil(t, k)
	}
}

func TestKeyRingRefuses(t *testing.T) {
	one := mustKey("one", 1)
	for name, keys := range map[string][]*models.Key{
		"nil":                  {nil},
		"the zero key":         {{}},
		"the zero key as old":  {one, {}},
		"two keys with one id": {one, mustKey("one", 2)},
	} {
		_, err := models.NewKeyRing(keys[0], keys[1:]...)
		require.ErrorIs(t, err, models.ErrBadKey, name)
	}
	ring, err := models.NewKeyRing(one, one)
	require.NoError(t, err)
	require.ErrorIs(t, ring.Rotate(mustKey("one", 2)), models.ErrBadKey)
	k, err := ring.CurrentKey(t.Context())
	require.NoError(t, err)
	require.Same(t, one, k, "a refused key changes nothing")
}

// The secret is the caller's to wipe.
func TestKeyKeepsNoSecret(t *testing.T) {
	raw := bytes.Repeat([]byte{5}, models.KeySize)
	k, err := models.NewKey("k", raw)
	require.NoError(t, err)
	useKeys(t, mustRing(k))
	var v rotated
	require.NoError(t, v.Set(t.Context(), "x", 1))
	clear(raw)
	got, err := v.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "x", got)
}

// No rotation is lost to another at the same moment, and values are encrypted and decrypted meanwhile.
func TestKeyRingRotatesWhileUsed(t *testing.T) {
	ring := mustRing(mustKey("first", 1))
	useKeys(t, ring)
	keys := make([][]*models.Key, 4)
	for i := range keys {
		for n := range 200 {
			keys[i] = append(keys[i], mustKey(fmt.Sprintf("%d-%d", i, n), 1))
		}
	}
	var group sync.WaitGroup
	for _, own := range keys {
		group.Go(func() {
			for _, k := range own {
				require.NoError(t, ring.Rotate(k))
			}
		})
	}
	group.Go(func() {
		for range 100 {
			var v rotated
			require.NoError(t, v.Set(t.Context(), "x", 1))
			_, err := v.Get(t.Context(), 1)
			require.NoError(t, err)
		}
	})
	group.Wait()
	for _, k := range slices.Concat(keys...) {
		known, err := ring.KeyByID(t.Context(), k.ID())
		require.NoError(t, err)
		require.Same(t, k, known)
	}
}
