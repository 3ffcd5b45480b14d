package mysqlbind_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
)

// onConn runs statements on one connection and returns the first error.
func onConn(ctx context.Context, e *binds.Engine, statements ...string) error {
	c, err := e.DB().Conn(ctx)
	if err != nil {
		return err
	}
	for _, q := range statements {
		if _, err = c.ExecContext(ctx, q); err != nil {
			break
		}
	}
	_, _ = c.ExecContext(ctx, "ROLLBACK") // of whatever the statements began
	return errors.Join(err, c.Close())
}

// onReplica runs a statement as the replica's ordinary user, without a belt.
func onReplica(ctx context.Context, query string) error {
	e, err := binds.Open(ctx, "test/replica", cluster.Replicas[0].URI())
	if err != nil {
		return err
	}
	_, err = e.DB().ExecContext(ctx, query)
	return errors.Join(err, e.Close())
}

// whileLocked runs statements on a connection while another transaction holds row 1.
func whileLocked(ctx context.Context, e *binds.Engine, statements ...string) error {
	holder, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err = holder.ExecContext(ctx, "UPDATE bindtest_fault SET n = n + 1 WHERE id = 1"); err == nil {
		err = onConn(ctx, e, statements...)
	}
	return errors.Join(err, holder.Rollback())
}

func nowait(ctx context.Context, e *binds.Engine) error {
	return whileLocked(ctx, e, "SELECT * FROM bindtest_fault FOR UPDATE NOWAIT")
}

func lockWait(ctx context.Context, e *binds.Engine) error {
	return whileLocked(ctx, e, "SET innodb_lock_wait_timeout = 0", "UPDATE bindtest_fault SET n = 5 WHERE id = 1")
}

// deadlock has two transactions lock two rows in opposite orders.
func deadlock(ctx context.Context, e *binds.Engine) error {
	_, err := e.DB().ExecContext(ctx, "REPLACE INTO bindtest_fault VALUES (10, 1), (11, 1)")
	if err != nil {
		return err
	}
	var txs [2]*sql.Tx
	for i := range txs {
		if txs[i], err = e.DB().BeginTx(ctx, nil); err != nil {
			return err
		}
		defer func() { _ = txs[i].Rollback() }() // also after the deadlock's own rollback
		if err = lockRow(ctx, txs[i], 10+i); err != nil {
			return err
		}
	}
	other := make(chan error)
	go func() { other <- lockRow(ctx, txs[0], 11) }()
	err = lockRow(ctx, txs[1], 10)
	// One of the two is the victim; the other goes on when it is rolled back.
	_ = txs[1].Rollback() // its error is err
	return errors.Join(err, <-other)
}

// lockDeadlock has two sessions take two named locks in opposite orders.
func lockDeadlock(ctx context.Context, e *binds.Engine) error {
	var conns [2]*sql.Conn
	names := []string{"GET_LOCK('my-one', 20)", "GET_LOCK('my-two', 20)"}
	for i := range conns {
		c, err := e.DB().Conn(ctx)
		if err != nil {
			return err
		}
		defer func() {
			_, _ = c.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_ALL_LOCKS()") // the victim keeps its first lock
			_ = c.Close()                                                              // the deadlock's error counts
		}()
		if _, err := c.ExecContext(ctx, "DO "+names[i]); err != nil {
			return err
		}
		conns[i] = c
	}
	// One of the two is the victim. The other goes on when that releases what it has.
	errs := make(chan error, 2)
	for i, c := range conns {
		go func() {
			_, err := c.ExecContext(ctx, "DO "+names[1-i])
			if err != nil {
				_, _ = c.ExecContext(ctx, "DO RELEASE_ALL_LOCKS()")
			}
			errs <- err
		}()
	}
	return errors.Join(<-errs, <-errs)
}

func lockRow(ctx context.Context, tx *sql.Tx, id int) error {
	_, err := tx.ExecContext(ctx, "UPDATE bindtest_fault SET n = n + 1 WHERE id = ?", id)
	return err
}

// killed runs a statement and kills it by another connection.
func killed(ctx context.Context, e *binds.Engine, how string) error {
	c, err := e.DB().Conn(ctx)
	if err != nil {
		return err
	}
	var id string
	if err := c.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return errors.Join(err, c.Close())
	}
	done := make(chan error)
	go func() {
		_, err := c.ExecContext(ctx, endless("my-killed"))
		done <- err
	}()
	for running := ""; running != "Query"; {
		q := "SELECT IF(INFO LIKE 'SELECT COUNT%', COMMAND, '') FROM " + server().processes + " WHERE ID = " + id
		if err := e.DB().QueryRowContext(ctx, q).Scan(&running); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	if _, err := e.DB().ExecContext(ctx, how+id); err != nil {
		return errors.Join(err, c.Close())
	}
	err = <-done
	_ = c.Close() // it may be gone
	return err
}

// TestClassify covers what a test cannot make a server say.
func TestClassify(t *testing.T) {
	for reason, row := range map[string]struct {
		err  error
		want binds.Fault
	}{
		"read_only":                     {answer(1290, "running with the --read-only option"), binds.ReadOnly},
		"read_only in another language": {answer(1290, "läuft mit der Option --super-read-only"), binds.ReadOnly},
		"secure_file_priv is no role":   {answer(1290, "running with the --secure-file-priv option"), binds.Refused},
		"innodb_read_only":              {answer(1836, "Running in read-only mode"), binds.ReadOnly},
		"refused on a reader":           {&mysqlbind.ReaderError{Statement: "FLUSH"}, binds.ReadOnly},
		"MySQL's max_execution_time":    {answer(3024, ""), binds.Canceled},
		"group replication":             {answer(3101, ""), binds.Retryable},
		"offline mode, with a reason":   {connecting(answer(6400, "")), binds.Busy},
		"NOWAIT on MySQL":               {answer(3572, ""), binds.Retryable},
		"GET_LOCK's deadlock on MySQL":  {answer(3058, ""), binds.Retryable},
		"a snapshot that is too old":    {answer(1020, ""), binds.Retryable},
		"too many connections":          {answer(1040, ""), binds.Busy},
		"shutting down":                 {answer(1053, ""), binds.Busy},
		"too many of the user":          {answer(1203, ""), binds.Busy},
		"offline mode":                  {answer(3032, ""), binds.Busy},
		"too many, while connecting":    {connecting(answer(1040, "")), binds.Busy},
		"a wrong password":              {connecting(answer(1045, "")), binds.NotSent},
		"read-only, while connecting":   {connecting(answer(1290, "--read-only")), binds.NotSent},
		"no TLS":                        {connecting(mysql.ErrNoTLS), binds.NotSent},
		"a login that breaks off":       {connecting(mysql.ErrInvalidConn), binds.NotSent},
		"a COMMIT that tells nothing":   {answer(1180, ""), binds.Unknown},
		"a COMMIT that broke off":       {answer(1180, `Got error 5 - 'Input/output error' during COMMIT`), binds.Unknown},
		"a conflict in a group":         {answer(1180, conflictInGroup), binds.Retryable},
		"the same in German":            {answer(1180, `Fehler 149 - 'Lock deadlock; Retry transaction' beim COMMIT`), binds.Retryable},
		"another number with its end":   {answer(1180, `Got error 1149 - '' during COMMIT`), binds.Unknown},
		"the same number of MariaDB":    {answer(1180, `Got error 149 "Lock deadlock; Retry transaction" during COMMIT`), binds.Unknown},
		"a group's refusal":             {answer(3100, ""), binds.Refused},
		"undone by a deadlock":          {&mysqlbind.RolledBackError{Err: answer(1213, "")}, binds.Retryable},
		"undone by a duplicate key":     {&mysqlbind.RolledBackError{Err: answer(1062, "")}, binds.Refused},
		"undone at an unknown COMMIT":   {&mysqlbind.RolledBackError{Err: answer(1180, "")}, binds.Refused},
		"killed, MariaDB":               {answer(1927, ""), binds.Unknown},
		"killed, MySQL":                 {answer(3169, ""), binds.Unknown},
		"idle for too long":             {answer(4031, ""), binds.NotSent},
		"replication is broken":         {answer(1236, ""), binds.Refused},
		"the answer does not come":      {mysql.ErrInvalidConn, binds.Unknown},
		"the answer makes no sense":     {mysql.ErrMalformPkt, binds.Unknown},
		"too long to be sent":           {&mysqlbind.PacketTooLargeError{Size: 2, Limit: 1}, binds.Refused},
		"too long for the MySQL driver": {mysql.ErrPktTooLarge, binds.Unclassified},
		"a context that ends":           {context.DeadlineExceeded, binds.Unknown},
		"an error of the program":       {errors.New("shop: no such article"), binds.Unclassified},
		"nothing":                       {nil, binds.Unclassified},
	} {
		t.Run(reason, func(t *testing.T) {
			assert.Equal(t, row.want.String(), mysqlbind.Driver{}.Classify(row.err).String())
			if row.err != nil {
				wrapped := fmt.Errorf("shop: %w", row.err)
				assert.Equal(t, row.want.String(), mysqlbind.Driver{}.Classify(wrapped).String())
			}
		})
	}
}

// conflictInGroup is the message of 1180 where another member's transaction came first.
const conflictInGroup = "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT"

func answer(number uint16, message string) error {
	return &mysql.MySQLError{Number: number, Message: message}
}

func connecting(err error) error { return &binds.ConnectError{Engine: "shop/writer", Err: err} }
