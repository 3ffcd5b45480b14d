package mysqlbind

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

// galeraQuery asks a node of a Galera cluster how it is, once it shows all that the cluster had committed when it was
// asked: only wsrep_sync_wait proves that. MariaDB's manual, "Galera Cluster System Variables". Neither
// wsrep_last_committed nor a GTID or an empty queue does. It needs no privilege. A node that has lost the cluster
// answers with 1047, or 1205 while it does not know that yet.
const galeraQuery = "SET STATEMENT wsrep_sync_wait = 1 FOR SELECT" +
	" MAX(IF(VARIABLE_NAME = 'WSREP_CLUSTER_STATE_UUID', VARIABLE_VALUE, ''))," +
	" MAX(IF(VARIABLE_NAME = 'WSREP_CLUSTER_STATUS', VARIABLE_VALUE, ''))," +
	" MAX(IF(VARIABLE_NAME = 'WSREP_READY', VARIABLE_VALUE, ''))," +
	" MAX(IF(VARIABLE_NAME = 'WSREP_LOCAL_STATE', VARIABLE_VALUE, ''))," +
	" MAX(IF(VARIABLE_NAME = 'WSREP_LOCAL_STATE_COMMENT', VARIABLE_VALUE, ''))" +
	" FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN ('WSREP_CLUSTER_STATE_UUID', 'WSREP_CLUSTER_STATUS'," +
	" 'WSREP_READY', 'WSREP_LOCAL_STATE', 'WSREP_LOCAL_STATE_COMMENT')"

// galeraSynced is the wsrep_local_state of a node that serves: others are those of one that joins, gives another its
// data, or was desynchronised.
const galeraSynced = "4"

var (
	errGaleraLate      = errors.New("mysqlbind: wsrep_sync_wait takes too long: the node has not applied yet what the cluster has committed")
	errGaleraNotReady  = errors.New("mysqlbind: the Galera node is not part of the cluster's primary component")
	errGaleraNotSynced = errors.New("mysqlbind: the Galera node is not synced with its cluster, as while it gives another one its data: it is used again when it is")
)

// galera asks a node, which has said a so far, for its state.
func (a *answer) galera(ctx context.Context, ask binds.Ask) (binds.Probe, error) {
	p := a.probe()
	p.History, p.Peer = "galera/"+a.cluster, true
	limit := ctx
	if end, ok := ctx.Deadline(); ok { // so that the caller hears in time that the node is there
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, time.Until(end)*3/4)
		defer cancel()
	}
	row, err := ask(limit, galeraQuery)
	if err != nil && limit.Err() != nil && ctx.Err() == nil {
		return binds.Probe{}, &binds.UnprovedError{Probe: p, Err: errGaleraLate} // it is no deadline of the caller's
	}
	var answer *mysql.MySQLError
	if errors.As(err, &answer) {
		return binds.Probe{}, fmt.Errorf("%w, or not known to be: %w", errGaleraNotReady, err)
	}
	if err != nil {
		return binds.Probe{}, err
	}
	if len(row) != 5 {
		return binds.Probe{}, errProduct
	}
	cluster, status, ready, state, comment := row[0], row[1], row[2], row[3], row[4]
	if status != "Primary" || ready != "ON" {
		return binds.Probe{}, fmt.Errorf("%w: wsrep_cluster_status = %s, wsrep_ready = %s", errGaleraNotReady, status, ready)
	}
	p.History = "galera/" + cluster
	if state != galeraSynced {
		p.Doubt = fmt.Errorf("%w: wsrep_local_state = %s (%s)", errGaleraNotSynced, state, comment)
	}
	return p, nil
}

// galeraMark is a [binds.Mark] of all that any node of a cluster has shown.
type galeraMark struct{}

// galeraReveal ends when the node that it runs on shows that.
const galeraReveal = "SET STATEMENT wsrep_sync_wait = 1 FOR SELECT 1"
