package mysqlbind

import "fmt"

// ReaderError reports a statement that was not sent because the server would obey it on a reader,
// although it takes the session's READ ONLY off or gets past it. [Driver.Classify] calls it
// binds.ReadOnly: nothing was done, and the writer may run it.
type ReaderError struct {
	Statement string // the kind of statement: "FLUSH"; never its text
}

func (e *ReaderError) Error() string {
	return fmt.Sprintf("mysqlbind: a reader does not run %s: run it on the writer", e.Statement)
}
