package binds

// A BytesOwner is a driver.Rows whose []byte values are their own: they stay as they are when the
// connection goes on. database/sql asks no driver for that, and the MySQL driver hands out its buffer.
// Where rows and other statements share a connection, the values of other rows must be copied.
type BytesOwner interface {
	OwnsBytes() bool
}
