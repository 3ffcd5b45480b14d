package mysqlbind_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
)

// elsewhereEngine opens an engine for which the primary is not on this machine.
func elsewhereEngine(t *testing.T, user, params string) *binds.Engine {
	t.Helper()
	var drivers binds.Drivers
	drivers.Register(mysqlbind.Elsewhere{}, "mysql")
	e, err := drivers.Open(t.Context(), "test/"+t.Name(), fmt.Sprintf("mysql://%s:x@%s/?%s", user, cluster.Primary.Addr(), params))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// An account of caching_sha2_password that nobody has logged into yet needs the password itself. A server elsewhere gets it if it is
// verified, or by its key that is known; and once it has the hash at hand, it needs the password no more.
func TestGuard_cachingSHA2(t *testing.T) {
	onProduct(t, mySQL, "caching_sha2_password")
	key, err := cluster.Primary.QueryString(bounded(t), "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Caching_sha2_password_rsa_public_key'")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "public_key.pem")
	require.NoError(t, os.WriteFile(file, []byte(key), 0o644))
	verified := "ssl-mode=VERIFY_IDENTITY&ssl-ca=" + cluster.TLS().CA
	for name, params := range map[string]string{"verified": verified, "a key that is known": "serverPubKey=" + file} {
		t.Run(name, func(t *testing.T) {
			onPrimary(t, "DROP USER IF EXISTS my_guard", "CREATE USER my_guard IDENTIFIED BY 'x'")
			t.Cleanup(func() { onPrimary(t, "DROP USER my_guard") })
			for _, unproved := range []string{"ssl-mode=DISABLED", "ssl-mode=REQUIRED"} {
				var withheld *binds.PasswordWithheldError
				require.ErrorAs(t, elsewhereEngine(t, "my_guard", unproved).Ping(bounded(t)), &withheld, unproved)
				assert.Contains(t, withheld.Cure, "ssl-mode=VERIFY_IDENTITY")
			}
			require.NoError(t, elsewhereEngine(t, "my_guard", params).Ping(bounded(t)))
			for _, fast := range []string{"ssl-mode=DISABLED", "ssl-mode=REQUIRED", verified} {
				require.NoError(t, elsewhereEngine(t, "my_guard", fast).Ping(bounded(t)), fast)
			}
		})
	}
}

// An account whose login tells nothing of the password has it on every way.
func TestGuard_challenge(t *testing.T) {
	onProduct(t, mariaDB, "mysql_native_password")
	onPrimary(t, "DROP USER IF EXISTS my_guard", "CREATE USER my_guard IDENTIFIED BY 'x'")
	t.Cleanup(func() { onPrimary(t, "DROP USER my_guard") })
	for _, params := range []string{"ssl-mode=DISABLED", "ssl-mode=REQUIRED", "ssl-mode=VERIFY_IDENTITY&ssl-ca=" + cluster.TLS().CA} {
		require.NoError(t, elsewhereEngine(t, "my_guard", params).Ping(bounded(t)), params)
	}
}
