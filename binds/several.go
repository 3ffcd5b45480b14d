package binds

import "fmt"

// A SeveralStatementsError reports a text with arguments of database/sql that holds more than one statement: whose are they?
// Nothing was run. A text without arguments may hold several where the driver says so.
type SeveralStatementsError struct {
	Second int   // where the second statement begins, in bytes
	Err    error // the server's answer; nil if it was not asked
}

func (e *SeveralStatementsError) Error() string {
	text := fmt.Sprintf("binds: a text with arguments holds one statement, and the second begins at byte %d: send each by a call of its own", e.Second)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the server's answer.
func (e *SeveralStatementsError) Unwrap() error { return e.Err }
