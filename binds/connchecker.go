package binds

import "fmt"

// A ConnChecker is a connection that can tell, between two statements and without a round trip, whether it still leads to its
// session: the server may have ended that, or the network. What is sent then is never answered, and nobody could say
// what became of it.
//
// CheckConn returns nil as far as the session is not known to have ended, else why it has: then nothing must be sent any
// more. It is called as other methods of a connection are, one at a time.
type ConnChecker interface{ CheckConn() error }

// NotSentError reports that nothing of a statement was sent: its context had ended before, or the connection's session had.
// It matches what Err does. [ClassifyCommon] calls it [NotSent].
type NotSentError struct{ Err error }

func (e *NotSentError) Error() string { return fmt.Sprintf("binds: nothing was sent: %v", e.Err) }

// Unwrap returns the reason.
func (e *NotSentError) Unwrap() error { return e.Err }
