package integration_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// Accounts made on each server would be transactions of its own.
func TestMySQL_startsWithoutHistory(t *testing.T) {
	teston.Only(t, teston.MySQL)
	c := integration.StartMySQL(t, 1)
	uuids := map[string]bool{}
	for i, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		state, err := s.QueryString(t.Context(), "SELECT CONCAT_WS(' ', @@global.gtid_executed, @@gtid_mode, @@super_read_only)")
		require.NoError(t, err)
		assert.Equal(t, []string{" ON 0", " ON 1"}[i], state)
		uuid, err := s.QueryString(t.Context(), "SELECT @@server_uuid")
		require.NoError(t, err)
		uuids[uuid] = true
	}
	assert.Len(t, uuids, 2, "each server has an identity of its own")
	require.NoError(t, c.Primary.Exec(t.Context(), "CREATE TABLE t (id int)"))
	position, err := c.Primary.QueryString(t.Context(), "SELECT SUBSTRING_INDEX(@@global.gtid_executed, ':', -1)")
	require.NoError(t, err)
	assert.Equal(t, "1", position)
}

func TestMySQL_hasNoAccountWithoutPassword(t *testing.T) {
	s := mysqlCluster.get(t).Replicas[0]
	users, err := s.QueryString(t.Context(), "SELECT GROUP_CONCAT(User ORDER BY User) FROM mysql.user WHERE account_locked = 'N'")
	require.NoError(t, err)
	assert.Equal(t, "admin,app,replicator", users)
}

// The administrator may do everything but write on a replica: super_read_only holds for all.
func TestMySQL_replicasRefuseEverybody(t *testing.T) {
	c := mysqlCluster.get(t)
	assert.ErrorContains(t, c.Replicas[0].Exec(t.Context(), "CREATE TABLE t (id int)"), "1290")
}

func TestMySQL_settings(t *testing.T) {
	c := mysqlWithOptions.get(t)
	for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		got, err := s.QueryString(t.Context(), "SELECT CONCAT_WS(' ', @@max_connections, @@init_connect)")
		require.NoError(t, err)
		assert.Equal(t, "77 SET @x = 'y z'", got)
	}
}

func TestVersion(t *testing.T) {
	v := integration.Version{Product: "MySQL", Major: 9, Minor: 7, Patch: 4}
	assert.Equal(t, "MySQL 9.7.4", v.String())
	assert.Equal(t, "PostgreSQL 18.6", integration.Version{Product: "PostgreSQL", Major: 18, Minor: 6}.String())
	for numbers, want := range map[[3]int]bool{
		{9, 7, 4}: true, {9, 7, 3}: true, {8, 9, 9}: true, {9, 7, 5}: false, {9, 8, 0}: false, {10, 0, 0}: false,
	} {
		assert.Equal(t, want, v.AtLeast("MySQL", numbers[:]...), numbers)
	}
	assert.True(t, v.AtLeast("MySQL", 9))
	assert.False(t, v.AtLeast("MariaDB", 9), "another product")
	onEach(t, func(t *testing.T, sys system) {
		s := sys.shared.get(t).Primary
		numbers, err := s.QueryString(t.Context(), "SELECT VERSION()")
		require.NoError(t, err)
		v := s.Version()
		assert.Regexp(t, `\b`+v.String()[len(v.Product)+1:]+`\b`, numbers)
	})
}
