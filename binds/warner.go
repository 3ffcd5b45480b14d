package binds

// A Warner is a [Source] that knows what is unsafe in how its URI has it opened, though it works: a server that is not
// verified, a key that others can read.
type Warner interface {
	// Warnings returns texts that say what is unsafe and what cures it, without names of hosts and files and without any part
	// of a password; none if nothing is.
	Warnings() []string
}

// Warnings returns what is unsafe in how the engine's URI has it opened, see [Warner].
func (e *Engine) Warnings() []string {
	if w, ok := e.source().(Warner); ok {
		return w.Warnings()
	}
	return nil
}
