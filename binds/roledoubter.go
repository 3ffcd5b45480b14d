package binds

// A RoleDoubter is a [Driver] of a server that may refuse a write by an error which does not say whether the server
// is still the one that takes writes.
//
// DoubtsRole reports whether err is such a refusal: a member of a MySQL group gives one for a transaction that is too
// large, and for any when it leaves the group. Whoever routes asks the server for its role then, before it would be due.
// It must be safe for concurrent use.
type RoleDoubter interface {
	DoubtsRole(err error) bool
}
