package manager

import "github.com/bindery-go/bindery/binds"

// warn logs what is unsafe in how the bind's engines are opened, once for each, and keeps it for [DBManager.Check].
func (b *Bind) warn(cfg *BindConfig) {
	b.warned = map[*binds.Engine][]string{}
	tell := func(e *binds.Engine, texts []string) {
		for _, text := range texts {
			b.opts.logger.Warn("engine is opened unsafely", "engine", e.Name(), "reason", text)
		}
		b.warned[e] = append(b.warned[e], texts...)
	}
	tell(b.writer, b.writer.Warnings())
	tell(b.writer, cfg.warnings)
	for i, e := range b.readers {
		if i < len(cfg.Readers) { // else it is the writer's sibling, of the same URI
			tell(e, e.Warnings())
		}
	}
}
