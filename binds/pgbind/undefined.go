package pgbind

import "github.com/bindery-go/bindery/binds"

var _ binds.UndefinedClassifier = Driver{}

// IsUndefined knows the SQLSTATE codes of manual appendix A.
func (Driver) IsUndefined(err error) bool {
	switch codeOf(err) {
	case "42P01", // undefined_table
		"42703", // undefined_column
		"42883", // undefined_function
		"42704", // undefined_object: a type
		"3F000": // invalid_schema_name
		return true
	}
	return false
}
