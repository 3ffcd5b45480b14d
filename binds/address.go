package binds

// An Addresser is a [Source] that knows where its server is.
type Addresser interface {
	// Address returns the host and the port of the URI, or the path of a socket and 0. It holds nothing else of the URI: no user, no password,
	// no parameter.
	Address() (host string, port int)
}

// A ProductTeller is a [Source] whose driver opens several products.
type ProductTeller interface {
	// Product names the one that the latest connection led to, "" before the first.
	Product() string
}

// Address returns where the engine's server is by its URI, host and port, or the path of a socket and 0; "" and 0 where there is no server, as on
// SQLite, and where the driver does not tell. It shows no password.
func (e *Engine) Address() (host string, port int) {
	if a, ok := e.source().(Addresser); ok {
		return a.Address()
	}
	return "", 0
}

// Product names what the engine's server is: "PostgreSQL", "MariaDB". It is the driver's name where that tells no more, and on the MySQL driver
// before the first connection.
func (e *Engine) Product() string {
	if t, ok := e.source().(ProductTeller); ok {
		if p := t.Product(); p != "" {
			return p
		}
	}
	return e.driver.Name()
}
