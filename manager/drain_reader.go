package manager

import (
	"fmt"
	"strings"
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
// It stays drained until [DBManager.Undrain], also through a [DBManager.Reload] that leaves its URI in the list, and is looked at meanwhile. Where that gives it
// another name, because readers before it are gone, it is drained under that one. A
// writer cannot be drained, and a name that no reader has is a [*DrainError]. It is safe for concurrent use.
func (m *DBManager) Drain(engine string) error { return m.setDrained(engine, true) }

// Undrain puts a reader back into service that [DBManager.Drain] has taken out. It serves as soon as it is known to be fresh enough, which is at
// once if it is.
func (m *DBManager) Undrain(engine string) error { return m.setDrained(engine, false) }

func (m *DBManager) setDrained(engine string, drained bool) error {
	if m.closed.Load() {
		return ErrClosed
	}
	m.swapping.Lock() // what replaces the bind takes it over, or comes after it
	defer m.swapping.Unlock()
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

// drainAs has those readers be drained whose URIs were so under the bind's configuration before, wherever they stood in its list.
func (b *Bind) drainAs(before *Bind) {
	now := b.router.Readers()
	for i, reader := range before.router.Readers() {
		if !reader.Drained() {
			continue
		}
		if place := b.placeOf(before, i); place >= 0 {
			b.router.SetDrained(now[place], true)
		}
	}
}

// placeOf returns where a reader of before stands now, -1 if nowhere. Its place is its own where its URI stands there more than once.
func (b *Bind) placeOf(before *Bind, i int) int {
	uri := before.readerURI(i)
	if i < len(b.readers) && b.readerURI(i).Equal(uri) {
		return i
	}
	for place := range b.readers {
		stays := place < len(before.readers) && before.readerURI(place).Equal(uri)
		if !stays && b.readerURI(place).Equal(uri) {
			return place
		}
	}
	return -1
}
