package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tour runs the program and returns the lines of its table, their blanks folded.
func tour(t *testing.T, args ...string) []string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), args, &out), out.String())
	t.Log("\n" + out.String())
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

// assertLine wants a line that begins and ends like this.
func assertLine(t *testing.T, lines []string, begin, end string) {
	t.Helper()
	for _, l := range lines {
		if strings.HasPrefix(l, begin) && strings.HasSuffix(l, end) {
			return
		}
	}
	assert.Fail(t, "no such line", "%s … %s", begin, end)
}

func TestTourOnSQLite(t *testing.T) {
	lines := tour(t)
	assertLine(t, lines, `INSERT INTO "bindery_tour_users"`, "accounts accounts/writer write_query")
	assertLine(t, lines, `SELECT "u"."id"`, "accounts accounts/reader-1 plain_read")
	assertLine(t, lines, `SELECT "e"."id"`, "audit audit/reader-1 plain_read")
	assertLine(t, lines, `COMMIT`, "accounts accounts/writer transaction (not routed)")
	assertLine(t, lines, `DROP TABLE IF EXISTS "bindery_tour_users"`, "accounts/writer write_query")
}

// TestTourOnServers takes the tour as a user with servers would: accounts on PostgreSQL, audit on
// MariaDB or MySQL, each with two replicas.
func TestTourOnServers(t *testing.T) {
	pg, my := teston.Start(t, teston.Postgres, 2), teston.StartMySQLFamily(t, 2)
	file := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join([]string{
		"[binds.accounts]", "writer = '" + pg.Primary.URI() + "'",
		"readers = ['" + pg.Replicas[0].URI() + "', '" + pg.Replicas[1].URI() + "']",
		"[binds.audit]", "writer = '" + my.Primary.URI() + "'",
		"readers = ['" + my.Replicas[0].URI() + "', '" + my.Replicas[1].URI() + "']", "",
	}, "\n")), 0o600))
	lines := tour(t, "-config", file)
	assertLine(t, lines, `SELECT "u"."id", "u"."name", "u"."balance" FROM "bindery_tour_users"`, "accounts accounts/writer write_text")
	assertLine(t, lines, "INSERT INTO `bindery_tour_events`", "audit audit/writer write_query")
	assertLine(t, lines, "UPDATE bindery_tour_events", "audit audit/writer write_text")
	for _, c := range []*integration.Cluster{pg, my} {
		n, err := c.Primary.QueryString(t.Context(), "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'bindery_tour%'")
		require.NoError(t, err)
		assert.Equal(t, "0", n, "the tour cleans up")
	}
}

func TestTourWithAWrongConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(file, []byte("[binds]\naccounts = 'sqlite::memory:'\n"), 0o600))
	err := run(t.Context(), []string{"-config", file}, new(bytes.Buffer))
	assert.ErrorContains(t, err, `unknown bind "audit" (have "accounts")`)
	assert.Error(t, run(t.Context(), []string{"-config", "no/such/file"}, new(bytes.Buffer)))
	assert.Error(t, run(t.Context(), []string{"-nonsense"}, new(bytes.Buffer)))
}
