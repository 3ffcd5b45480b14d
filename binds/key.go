package binds

// A Key names a bind: "accounts". The empty key is the default bind.
//
// A Key is itself a [Bound], so whatever takes one takes a plain Key("accounts").
type Key string

// BindKey returns k.
func (k Key) BindKey() Key { return k }

// String returns the key as messages show it: the default bind's empty key reads "default".
func (k Key) String() string {
	if k == "" {
		return "default"
	}
	return string(k)
}

// Bound is what belongs to a bind: a model through its marker, a marker value, a plain [Key].
//
// BindKey must return the same key for every value of the type; it is called on zero values too.
type Bound interface{ BindKey() Key }

var _ Bound = Key("")
