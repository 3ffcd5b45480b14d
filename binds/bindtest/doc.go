// Package bindtest is the conformance suite that every driver passes on a real server.
//
// A driver's test describes itself in a [Harness] and calls [Run], which checks one promise a
// subtest:
//
//	func TestConformance(t *testing.T) {
//		bindtest.Run(t, bindtest.Harness{Driver: pgbind.New(), Writer: uri, …})
//	}
//
// The suite never skips: a field that a promise needs and the harness lacks fails the run, unless
// the field's comment says what its zero value means.
package bindtest
