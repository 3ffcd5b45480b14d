package models_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/models"
)

// TestManagerCursorKeys opens the same database with several configurations: cursors go from one to the other by the keys that they have in common.
func TestManagerCursorKeys(t *testing.T) {
	text := func(b byte) string {
		return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, models.KeySize))
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		secretRows(t, db, "a", "b", "c")
		open := func(keys ...string) *bun.DB {
			config := fmt.Sprintf("[binds.main]\nuri = '%s'\n", databaseOf(db).uri)
			if keys != nil {
				config += fmt.Sprintf("cursor_keys = ['%s']\n", strings.Join(keys, "', '"))
			}
			file := filepath.Join(t.TempDir(), "config.toml")
			require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
			m, err := manager.Open(t.Context(), file)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, m.Close()) })
			b, err := m.Bind(binds.Key("main"))
			require.NoError(t, err)
			for _, key := range keys {
				require.NotContains(t, m.Check(t.Context()).String(), key)
				require.NotContains(t, fmt.Sprintf("%+v %#v", b, b), key)
			}
			return b.DB()
		}
		old, renewed, own := open(text(1)), open(text(2), text(1)), open()
		cursor := nextOf(t, old, "")
		eachIDB(t, renewed, func(t *testing.T, idb bun.IDB) {
			page, err := models.FetchPage[secretRow](t.Context(), idb.NewSelect().Model(new([]secretRow)).Column("name"), bySalary, models.After(cursor), 1)
			require.NoError(t, err)
			require.Equal(t, []secretRow{{Name: "name 1"}}, page.Items)
		})
		var refused *models.CursorError
		_, err := secretPage(t, own, cursor)
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "give all processes the same cursor_keys in the configuration")
		_, err = secretPage(t, old, nextOf(t, renewed, ""))
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "no longer one of cursor_keys")
		_, err = secretPage(t, db, nextOf(t, own, ""))
		require.NoError(t, err, "without keys all of a process have one")
	})
}
