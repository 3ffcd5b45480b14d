package routertest

import "strings"

// AddFunction lets every statement that calls the function name without arguments, as in SELECT charge(), run statement in
// its place on whichever server it comes to, as a function of a server's own language does: the text does not tell whether it
// writes, and a replica, or a connection that may not write, refuses it if it does.
func (c *Cluster) AddFunction(name, statement string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.functions = append(c.functions, function{name + "()", statement})
}

type function struct{ call, statement string }

// called returns what is run for query.
func (c *Cluster) called(query string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.functions {
		if strings.Contains(query, f.call) {
			return f.statement
		}
	}
	return query
}
