package binds

import "strconv"

// A View is what changes what the same SELECT shows on two servers with the same data: the database, the schemas, a
// session's settings, in an order that is always the same.
type View []Setting

// A Setting is one part of a [View]. An empty value is not known, or does not matter.
type Setting struct{ Name, Value string }

// Differs says in which parts two views differ, as "database is \"a\", there \"b\"", nil if in none. Parts that one of
// them does not know are no difference.
func (v View) Differs(there View) []string {
	var list []string
	for _, here := range v {
		for _, other := range there {
			if here.Name == other.Name && here.Value != other.Value && here.Value != "" && other.Value != "" {
				list = append(list, here.Name+" is "+strconv.Quote(here.Value)+", there "+strconv.Quote(other.Value))
			}
		}
	}
	return list
}
