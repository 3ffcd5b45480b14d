package models

import "fmt"

// BulkError reports the batch at which a bulk insert ended.
type BulkError struct {
	From, To int // the batch's rows: rows[From:To]
	// Kept counts the rows before it that stay: those of committed batches, and of the caller's
	// transaction if there is one. All of [0, Kept) went in or were ignored.
	Kept int
	Err  error // what the database said
}

func (e *BulkError) Error() string {
	return fmt.Sprintf("models: bulk insert rows [%d:%d] (%d kept before them): %v", e.From, e.To, e.Kept, e.Err)
}

// Unwrap returns the cause.
func (e *BulkError) Unwrap() error { return e.Err }
