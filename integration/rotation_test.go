package integration_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// without returns a URI without its password.
func without(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	u.User = url.User(u.User.Username())
	return u.String()
}

// TestRotationUnderLoad changes the account's password again and again, first where it is given out and then at the servers, while sixteen
// goroutines read and write on connections that live for a moment: nothing fails.
func TestRotationUnderLoad(t *testing.T) {
	for _, k := range replicatedKinds() {
		t.Run(k.name, func(t *testing.T) {
			ctx := t.Context()
			writer, readers, c := k.uris(t)
			u, err := url.Parse(writer)
			require.NoError(t, err)
			first, _ := u.User.Password()
			file := filepath.Join(t.TempDir(), "password")
			give := func(password string) { // as a mounted secret is replaced: whole
				require.NoError(t, os.WriteFile(file+".new", []byte(password), 0o600))
				require.NoError(t, os.Rename(file+".new", file))
			}
			give(first)
			var asked atomic.Int64
			for i := range readers {
				readers[i] = without(t, readers[i])
			}
			m := openManager(t, config(map[string]string{"shop": without(t, writer), "audit": without(t, writer)}, readers,
				`pool = { max_open = 6, max_lifetime = "100ms" }`),
				manager.WithPassword(func(_ context.Context, engine string) (string, error) {
					asked.Add(1)
					assert.Regexp(t, `^(shop|audit)/(writer|reader-[12])`, engine)
					text, err := os.ReadFile(file)
					return string(text), err
				}))
			require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
			work, stop := context.WithCancel(ctx)
			defer stop()
			var running sync.WaitGroup
			var done atomic.Int64
			for id := range int64(16) {
				_, err := m.NewInsert(&tally{ID: id + 1}).Exec(ctx)
				require.NoError(t, err)
				running.Go(func() {
					for value := int64(1); work.Err() == nil; value++ {
						_, err := m.NewUpdate(&tally{ID: id + 1, Value: value}).WherePK().Exec(ctx)
						if !assert.NoError(t, err) {
							return
						}
						row := tally{ID: id + 1}
						if !assert.NoError(t, m.NewSelect(&row).WherePK().Scan(ctx)) || !assert.Equal(t, value, row.Value) {
							return
						}
						done.Add(1)
					}
				})
			}
			change := "ALTER ROLE app PASSWORD '%s'"
			if inMySQLFamily(k.name) {
				change = "ALTER USER app IDENTIFIED BY '%s'"
			}
			const rotations = 6
			for i := range rotations {
				before := asked.Load()
				require.Eventually(t, func() bool { return asked.Load() > before+20 || t.Failed() }, waitFor, tick)
				password := fmt.Sprintf("p@ss/%d", i)
				give(password)
				require.NoError(t, c.Primary.Exec(ctx, fmt.Sprintf(change, password)))
				require.NoError(t, c.WaitReplayed(ctx))
			}
			stop()
			running.Wait()
			require.NoError(t, m.WithLock(ctx, shop{}, "after", func(context.Context) error { return nil }), "locks take the password of now, too")
			b, err := m.Bind(shop{})
			require.NoError(t, err)
			require.NoError(t, b.Native().NewRaw("SELECT 1").Scan(ctx, new(int)), "and Native")
			t.Logf("%d writes and reads, %d connections, %d rotations, none failed", done.Load(), asked.Load(), rotations)

			// The same by password_file; and a password that is wrong is an error without it.
			require.NoError(t, os.WriteFile(file, []byte("hunter2"), 0o600))
			_, err = manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "shop", Writer: binds.NewURI(without(t, writer)), PasswordFile: file}}})
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "hunter2")
			give(fmt.Sprintf("p@ss/%d", rotations-1))
			good, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "shop", Writer: binds.NewURI(without(t, writer)), PasswordFile: file}}})
			require.NoError(t, err)
			require.NoError(t, good.Close())
		})
	}
}
