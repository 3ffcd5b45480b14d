package binds

// An UndefinedClassifier is a [Driver] that knows by which errors its server says that it knows no such table, column,
// function or type. A replica that trails says so of what its primary has by now: the same read is then asked
// once of the writer.
type UndefinedClassifier interface {
	// IsUndefined is given errors as database/sql returns them, and must be safe for concurrent use.
	IsUndefined(err error) bool
}

// IsUndefined reports whether an error of this engine says that its server knows no such table, column, function or type.
func (e *Engine) IsUndefined(err error) bool {
	c, ok := e.driver.(UndefinedClassifier)
	return ok && c.IsUndefined(err)
}
