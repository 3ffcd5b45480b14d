// Package bunlayout looks into Bun's query builders. Bun has no way to ask a builder which other
// builders are parts of it, and a part that belongs to another database must be found before the
// statement is sent.
//
// Parts are found by the types of Bun's fields, not by their names and places.
package bunlayout
