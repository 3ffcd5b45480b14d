package mysqlbind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.Positioner = Driver{}

// probeQuery asks both products by one text: MariaDB runs what is in /*M! */ and takes /*!80000 */
// for a comment, MySQL 8 the other way round. It needs no privilege.
//
// The start of a server is told by the second of its start, for UNIX_TIMESTAMP() and the uptime are
// read from one clock at one moment, and by the tail of UUID(): a number drawn at random at the
// start, or when the server's clock is set back, and the machine's address.
//
// MySQL tells what it is about to show, gtid_owned, before what it shows: a transaction that becomes visible
// between the two is in both.
//
// The last column is the state of the Galera cluster that the server belongs to.
const probeQuery = "SELECT VERSION(), CONCAT(@@hostname, ':', @@port), @@global.server_id, SUBSTR(UUID(), 20)," +
	" @@global.read_only, @@global.log_bin," +
	" DATABASE(), @@session.sql_mode, @@session.collation_connection, @@global.lower_case_table_names" +
	" /*M! , 'MariaDB', @@global.gtid_strict_mode, '', @@global.gtid_binlog_pos, @@global.gtid_slave_pos," +
	" (SELECT CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS UNSIGNED) FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'UPTIME')," +
	" (SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'WSREP_CLUSTER_STATE_UUID') */" +
	" /*!80000 , 'MySQL', @@global.gtid_mode, @@global.gtid_owned, @@global.gtid_executed, @@global.server_uuid," +
	" (SELECT CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS UNSIGNED) FROM performance_schema.session_status WHERE VARIABLE_NAME = 'UPTIME'), '' */"

// plainQuery asks for what all servers tell that call themselves MySQL.
const plainQuery = "SELECT VERSION(), CONCAT(@@hostname, ':', @@port), @@global.read_only"

// An answer is the row of probeQuery.
type answer struct {
	version, address, serverID, tail, readOnly, logBin string
	database, sqlMode, collation, lowerCase            string
	product, mode, owned, first, second, start         string
	cluster                                            string // Galera's state uuid, "" outside of one
}

// Probe asks a server for its identity, role and position, by one statement. The package's
// documentation says what a position is. A node of a Galera cluster has none and is asked a second one, see galeraQuery.
//
// A server that refuses to tell is asked again for its role alone, and has the refusal as its Doubt.
func (Driver) Probe(ctx context.Context, ask binds.Ask) (binds.Probe, error) {
	row, err := ask(ctx, probeQuery)
	var p binds.Probe
	switch {
	case err == nil && len(row) == 17:
		a := &answer{
			row[0], row[1], row[2], row[3], row[4], row[5],
			row[6], row[7], row[8], row[9],
			row[10], row[11], row[12], row[13], row[14], row[15],
			row[16],
		}
		if a.cluster != "" {
			p, err = a.galera(ctx, ask)
		} else {
			p, err = readProbe(a)
		}
	case err == nil:
		p, err = plainProbe(ctx, ask, errProduct)
	case Driver{}.Classify(err) == binds.Refused:
		p, err = plainProbe(ctx, ask, err)
	}
	if err != nil {
		return binds.Probe{}, fmt.Errorf("mysqlbind: probe: %w", err)
	}
	return p, nil
}

// probe returns what the answer says whatever the product.
func (a *answer) probe() binds.Probe {
	return binds.Probe{
		Server:  strings.Join([]string{a.address, a.serverID, a.start, a.tail}, "/"),
		Primary: isOff(a.readOnly),
		View: binds.View{
			{Name: "the database", Value: a.database},
			{Name: "sql_mode, as far as it changes reads,", Value: readingModes(a.sqlMode)},
			{Name: "collation_connection", Value: a.collation},
			{Name: "lower_case_table_names", Value: a.lowerCase},
		},
	}
}

func readProbe(a *answer) (binds.Probe, error) {
	p := a.probe()
	var err error
	if a.product == "MariaDB" {
		p.History = "mariadb"
		p.Position, p.Doubt, err = a.mariaDB(p.Primary)
	} else {
		p.History, p.Server = "mysql", p.Server+"/"+a.second
		var at *mysqlPosition
		at, p.Doubt, err = a.mySQL(p.Primary)
		p.Position = at
		if err == nil && len(at.owned) > 0 {
			p.Sent = at.withOwned()
		}
	}
	if p.Doubt != nil {
		p.Position, p.Sent = nil, nil
	}
	return p, err
}

// modesOfReads are the modes in which a SELECT means or shows something else (MySQL's manual, "Server SQL Modes";
// MariaDB's, "SQL_MODE").
var modesOfReads = []string{
	"ANSI_QUOTES", "EMPTY_STRING_IS_NULL", "HIGH_NOT_PRECEDENCE", "IGNORE_SPACE", "MSSQL", "NO_UNSIGNED_SUBTRACTION", "ORACLE",
	"PAD_CHAR_TO_FULL_LENGTH", "PIPES_AS_CONCAT", "REAL_AS_FLOAT", "TIME_ROUND_FRACTIONAL", "TIME_TRUNCATE_FRACTIONAL",
}

// readingModes returns those of them that are on, "none" if none is.
func readingModes(sqlMode string) string {
	var on []string
	for mode := range strings.SplitSeq(sqlMode, ",") {
		if slices.Contains(modesOfReads, strings.ToUpper(mode)) {
			on = append(on, strings.ToUpper(mode))
		}
	}
	if len(on) == 0 {
		return "none"
	}
	slices.Sort(on)
	return strings.Join(on, ",")
}

// mariaDB reads what MariaDB says. Of a replica only gtid_slave_pos counts: writes of its own move the
// others.
func (a *answer) mariaDB(primary bool) (pos *mariaPosition, doubt, err error) {
	if !primary {
		pos, err = parseMariaDB("0", a.second)
		return pos, nil, err
	}
	switch {
	case isOff(a.logBin):
		doubt = errNoBinaryLog
	case isOff(a.mode):
		doubt = errNotStrict
	}
	pos, err = parseMariaDB(a.serverID, a.first)
	return pos, doubt, err
}

func (a *answer) mySQL(primary bool) (pos *mysqlPosition, doubt, err error) {
	switch {
	case !strings.EqualFold(a.mode, "ON"):
		doubt = errNoGTIDs
	case primary && isOff(a.logBin):
		doubt = errNoBinaryLog
	}
	pos, err = readMySQL(a.second, a.owned, a.first)
	return pos, doubt, err
}

// isOff reads a switch. Newer MariaDB has further ways for read_only to be on than 1.
func isOff(value string) bool {
	return value == "0" || value == "" || strings.EqualFold(value, "OFF")
}

func plainProbe(ctx context.Context, ask binds.Ask, reason error) (binds.Probe, error) {
	row, err := ask(ctx, plainQuery)
	if err != nil {
		return binds.Probe{}, errors.Join(err, reason)
	}
	if len(row) != 3 {
		return binds.Probe{}, errProduct
	}
	return binds.Probe{Server: row[1], Primary: isOff(row[2]), Doubt: &PositionError{Err: reason}}, nil
}
