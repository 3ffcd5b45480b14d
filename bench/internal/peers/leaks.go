package peers

import "go.uber.org/goleak"

// Leaks are the goroutines that libraries leave behind when their DB is closed, for goleak:
//
//   - bunexp's monitors end up to five seconds later;
//   - gorm's dbresolver makes a store of prepared statements for each pool even where none are kept, and
//     the goroutine that looks after it never ends.
func Leaks() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/uptrace/bun/extra/bunexp.(*replicas).monitor"),
		goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"),
	}
}
