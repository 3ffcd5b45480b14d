package mysqlbind

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/internal/dburi"
)

const (
	// belt makes a session refuse writes. It is the one spelling that all servers have: the variable
	// is tx_read_only on MariaDB before 11.1 and transaction_read_only on MySQL 8.
	belt = "SET SESSION TRANSACTION READ ONLY"

	introduce = "SELECT CONNECTION_ID(), VERSION(), @@hostname, @@port, @@server_id, @@max_allowed_packet"
)

// A session is the server's side of a connection.
type session struct {
	id      uint64 // CONNECTION_ID()
	server  string // which server it is on
	version string
	mariaDB bool
	since   time.Time

	routing
	maxPacket string // @@max_allowed_packet
	packet    packetLimit
}

// setUpStatement returns the statement that makes a new session what Bun and Go expect.
//
// NO_BACKSLASH_ESCAPES leaves whatever mode the server has: Bun doubles backslashes in the text it
// writes, and with the mode on every one of them would be stored twice. So does MariaDB's EMPTY_STRING_IS_NULL, which stores NULL for ”.
func setUpStatement(p *dburi.Params) string {
	names := "SET NAMES utf8mb4"
	if c := p.String("collation", ""); c != "" {
		if !strings.HasPrefix(c, "utf8mb4_") && !strings.HasPrefix(c, "uca1400_") || !isWord(c) {
			p.Fail(`parameter "collation" must be one of utf8mb4, such as utf8mb4_bin`)
		}
		names += " COLLATE " + c
	}
	mode := "REPLACE(REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', ''), 'EMPTY_STRING_IS_NULL', '')"
	if p.Has("sql_mode") {
		m := p.String("sql_mode", "")
		switch {
		case !isWord(strings.ReplaceAll(m, ",", "_")) && m != "":
			p.Fail(`parameter "sql_mode" must be names with commas between them`)
		case strings.Contains(strings.ToUpper(m), "NO_BACKSLASH_ESCAPES"):
			p.Fail(`parameter "sql_mode" must not hold NO_BACKSLASH_ESCAPES: Bun writes text with backslash escapes`)
		}
		if strings.Contains(strings.ToUpper(m), "EMPTY_STRING_IS_NULL") {
			p.Fail(`parameter "sql_mode" must not hold EMPTY_STRING_IS_NULL: it stores NULL where Go wrote ""`)
		}
		mode = "'" + m + "'"
	}
	return names + ", time_zone = '+00:00', autocommit = 1, sql_mode = " + mode
}

// isWord reports whether s holds only letters, digits and underscores: such a text may stand in a
// statement.
func isWord(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) || s[i] >= 0x80 {
			return false
		}
	}
	return s != ""
}

// begin makes a session of a new connection.
func begin(ctx context.Context, c nativeConn, setUp string, role binds.Role) (session, error) {
	if _, err := c.ExecContext(ctx, setUp, nil); err != nil {
		return session{}, fmt.Errorf("mysqlbind: set up the session: %w", err)
	}
	if role == binds.Reader {
		if _, err := c.ExecContext(ctx, belt, nil); err != nil {
			return session{}, fmt.Errorf("mysqlbind: make the session read-only: %w", err)
		}
	}
	v, err := oneRow(ctx, c, introduce)
	if err != nil {
		return session{}, fmt.Errorf("mysqlbind: ask for the session's identity: %w", err)
	}
	return newSession(v)
}

func newSession(v []string) (session, error) {
	s := session{version: v[1], mariaDB: parseVersion(v[1]).mariaDB, server: strings.Join(v[2:5], "/"), maxPacket: v[5], since: time.Now()}
	if _, err := fmt.Sscan(v[0], &s.id); err != nil {
		return session{}, fmt.Errorf("mysqlbind: the server gives no connection id: %w", err)
	}
	return s, nil
}

// oneRow returns the first row of a query as text.
func oneRow(ctx context.Context, c nativeConn, query string) ([]string, error) {
	rows, err := c.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	dest := make([]driver.Value, len(rows.Columns()))
	err = rows.Next(dest)
	texts := make([]string, len(dest))
	for i, v := range dest {
		if b, ok := v.([]byte); ok {
			texts[i] = string(b)
		} else {
			texts[i] = fmt.Sprint(v)
		}
	}
	if errClose := rows.Close(); err == nil {
		err = errClose
	}
	return texts, err
}
