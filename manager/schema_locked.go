package manager

import "context"

// locked calls fn while this process holds a named lock of a bind.
func (m *DBManager) locked(ctx context.Context, _ *Bind, _ string, fn func(context.Context) error) error {
	return fn(ctx)
}
