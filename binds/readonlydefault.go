package binds

import "fmt"

// A ReadOnlyDefaultError reports a write on a writer's connection whose sessions are read-only by a setting of the login, the
// database or the server. The server is no replica, and was not demoted: [Fault] Refused. Nothing was done.
type ReadOnlyDefaultError struct {
	Setting string // default_transaction_read_only; on MySQL and MariaDB transaction_read_only or tx_read_only
	Cure    string // what to tell the server
	Err     error  // the server's answer
}

func (e *ReadOnlyDefaultError) Error() string {
	return fmt.Sprintf("binds: the writer's sessions are read-only by default, by %s: %s: %v", e.Setting, e.Cure, e.Err)
}

// Unwrap returns the server's answer.
func (e *ReadOnlyDefaultError) Unwrap() error { return e.Err }
