package models_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/models"
)

// Nothing prints a plaintext or a key.
func TestEncryptedIsNeverShown(t *testing.T) {
	raw := bytes.Repeat([]byte{0xa7}, models.KeySize)
	key, err := models.NewKey("one", raw)
	require.NoError(t, err)
	ring := mustRing(key)
	useKeys(t, ring)
	type record struct {
		Card   rotated
		Ptr    *rotated
		Key    *models.Key
		Plain  models.Key
		Ring   *models.KeyRing
		hidden rotated
		inside models.Key
		ring   *models.KeyRing
	}
	var v rotated
	require.NoError(t, v.Set(t.Context(), secret, 7))
	rec := record{v, &v, key, *key, ring, v, *key, ring}
	var out strings.Builder
	for _, x := range []any{v, &v, key, *key, ring, rec, &rec, []rotated{v}, map[string]any{"k": key, "v": v}, vaultCard{}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%t"} {
			_, _ = fmt.Fprintf(&out, verb+"\n", x)
		}
		text, err := json.Marshal(x)
		require.NoError(t, err)
		out.Write(text)
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "value", x)
		}
	}
	_, err = v.Get(t.Context(), 8)
	_, _ = fmt.Fprintf(&out, "%v %+v %#v", err, err, err)
	shown := strings.ToLower(out.String())
	for _, hide := range []string{secret, string(raw), "a7a7a7", "0xa7, 0xa7", "167 167", "167,167", hex.EncodeToString([]byte(secret)),
		fmt.Sprint([]byte(secret))[1:20]} {
		require.NotContains(t, shown, strings.ToLower(hide))
	}
	require.Contains(t, shown, "[encrypted]")
	require.Equal(t, `[encrypted] [encrypted] models.Key("one") models.KeyRing`, fmt.Sprintf("%s %#v %+v %v", v, v, key, ring))
}

func TestEncryptedInJSON(t *testing.T) {
	type response struct {
		Card, Phone models.Encrypted[string, structCard]
	}
	var r response
	require.NoError(t, r.Card.Set(t.Context(), secret, 1))
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{"Card":"[encrypted]","Phone":null}`, string(text))
	require.ErrorIs(t, json.Unmarshal(text, &r), models.ErrRedacted)
	require.ErrorIs(t, r.Card.UnmarshalText([]byte("x")), models.ErrRedacted)
	require.NoError(t, json.Unmarshal([]byte(`{"Card":null}`), &r))
	require.False(t, r.Card.IsZero(), "null wipes nothing")
}
