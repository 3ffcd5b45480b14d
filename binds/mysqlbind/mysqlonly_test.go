package mysqlbind_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// An account that nobody has logged into yet logs in without TLS: the server has no hash of its password at hand, and
// gives a key to send the password by.
func TestFirstLoginWithoutTLS(t *testing.T) {
	onProduct(t, mySQL, "caching_sha2_password")
	onPrimary(t, "CREATE USER my_first IDENTIFIED BY 'x'")
	t.Cleanup(func() { onPrimary(t, "DROP USER my_first") })
	e := engine(t, fmt.Sprintf("mysql://my_first:x@%s/", cluster.Primary.Addr()))
	var name, cipher string
	require.NoError(t, e.DB().QueryRowContext(bounded(t), "SHOW SESSION STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher))
	assert.Empty(t, cipher)
	wrong := engine(t, fmt.Sprintf("mysql://my_first:y@%s/", cluster.Primary.Addr()))
	require.ErrorContains(t, wrong.Ping(bounded(t)), "1045")
}

// A server in offline mode lets nobody in but administrators: it may come back.
func TestOfflineMode(t *testing.T) {
	onProduct(t, mySQL, "offline_mode")
	onPrimary(t, "SET GLOBAL offline_mode = ON")
	t.Cleanup(func() { onPrimary(t, "SET GLOBAL offline_mode = OFF") })
	e := writer(t, "")
	err := e.Ping(bounded(t))
	assert.EqualValues(t, 3032, number(t, err))
	assert.Equal(t, binds.Busy, e.Classify(err))
}

// A session that was idle for too long says so instead of an answer. What was sent to it was not carried out, and a
// connection that is taken from the pool is looked at first.
func TestIdleForTooLong(t *testing.T) {
	onProduct(t, mySQL, "MariaDB closes the connection without a word")
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	c, err := e.DB().Conn(bounded(t))
	require.NoError(t, err)
	var id string
	require.NoError(t, c.QueryRowContext(bounded(t), "SELECT CONNECTION_ID()").Scan(&id))
	_, err = c.ExecContext(bounded(t), "SET SESSION wait_timeout = 1")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		n, err := cluster.Primary.QueryString(t.Context(), "SELECT COUNT(*) FROM "+server().processes+" WHERE ID = "+id)
		return err == nil && n == "0"
	}, patience, tick)
	_, err = c.ExecContext(bounded(t), "SELECT 1")
	require.Error(t, err)
	var answer *mysql.MySQLError
	if errors.As(err, &answer) { // or the connection broke before that could be read
		assert.EqualValues(t, 4031, answer.Number)
		assert.Equal(t, binds.NotSent, e.Classify(err))
		require.ErrorIs(t, err, driver.ErrBadConn, "database/sql takes another connection")
	}
	_ = c.Close() // it is broken
	assert.Equal(t, "1", value(t, e, "SELECT 1"))
}

// A []byte that is written into the text has the character set binary, which a JSON column refuses; sent beside the
// text, as without interpolate_params, it is taken.
func TestBytesIntoJSON(t *testing.T) {
	onProduct(t, mySQL, "MariaDB's JSON is a text")
	e, interpolating := writer(t, ""), writer(t, "?interpolate_params=1")
	table(t, e, "my_json", "id INT PRIMARY KEY AUTO_INCREMENT, j JSON")
	_, err := e.DB().ExecContext(bounded(t), "INSERT INTO my_json (j) VALUES (?)", `{"a": 1}`)
	require.NoError(t, err)
	_, err = interpolating.DB().ExecContext(bounded(t), "INSERT INTO my_json (j) VALUES (?)", []byte(`{"a": 1}`))
	assert.EqualValues(t, 3144, number(t, err))
	_, err = e.DB().ExecContext(bounded(t), "INSERT INTO my_json (j) VALUES (?)", []byte(`{"a": 1}`))
	require.NoError(t, err)
}

func number(t *testing.T, err error) uint16 {
	t.Helper()
	var answer *mysql.MySQLError
	require.ErrorAs(t, err, &answer)
	return answer.Number
}
