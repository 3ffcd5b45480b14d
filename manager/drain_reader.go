package manager

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/router"
)

// A DrainError reports an engine that cannot be drained: no reader of the manager has that name.
type DrainError struct {
	Engine string
	Have   []string // the readers' names
}

func (e *DrainError) Error() string {
	return fmt.Sprintf("manager: drain: there is no reader %q (have %s)", e.Engine, strings.Join(e.Have, ", "))
}

// Drain takes a reader out of service, by its engine's name ("accounts/reader-2"): for maintenance of its server. No new statement goes there,
// [Bind.Reader] and router.OnReader included; what runs there goes on. Other readers, and the writer if it may, serve its reads; [DBManager.Check] shows it.
// It stays drained until [DBManager.Undrain], also through a [DBManager.Reload] that leaves its URI as it is, and is looked at meanwhile. A
// writer cannot be drained, and a name that no reader has is a [*DrainError]. It is safe for concurrent use.
func (m *DBManager) Drain(engine string) error { return m.setDrained(engine, true) }

// Undrain puts a reader back into service that [DBManager.Drain] has taken out. It serves as soon as it is known to be fresh enough, which is at
// once if it is.
func (m *DBManager) Undrain(engine string) error { return m.setDrained(engine, false) }

func (m *DBManager) setDrained(engine string, drained bool) error {
	if m.closed.Load() {
		return ErrClosed
	}
	m.changing.Lock() // what replaces the bind takes it over, or comes after it
	defer m.changing.Unlock()
	e := &DrainError{Engine: engine}
	for _, b := range m.book.Load().binds {
		for _, reader := range b.router.Readers() {
			if reader.Name() == engine {
				b.router.SetDrained(reader, drained)
				return nil
			}
			e.Have = append(e.Have, reader.Name())
		}
	}
	return e
}

// drainAs has those readers be drained that were so under the bind's configuration before.
func (b *Bind) drainAs(before *Bind) {
	was := before.router.Readers()
	for i, reader := range b.router.Readers() {
		same := func(r *router.Reader) bool { return r.Name() == reader.Name() && r.Drained() }
		if slices.ContainsFunc(was, same) && b.readerURI(i).Equal(before.readerURI(i)) {
			b.router.SetDrained(reader, true)
		}
	}
}
