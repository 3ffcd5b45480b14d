package manager

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// A TenantFunc says where the database of a tenant is. It is called for a key that no bind of the configuration has, each time the tenant is
// opened, once for all who wait for that; what it returns must be right as a configuration must, its Key the one asked for, or empty. An error is that
// of whoever wanted the tenant, in a [*TenantError], and is not kept: the next one asks again. ctx ends after [OpenWithin]'s time and
// with the manager; it is nobody's own, and carries no values. It must be safe for concurrent use. It may use the manager's binds, but no tenant.
type TenantFunc func(ctx context.Context, key binds.Key) (BindConfig, error)

const (
	// DefaultMaxTenants is how many tenants are open at once, without [Max].
	DefaultMaxTenants = 100
	// DefaultTenantIdle is how long a tenant stays open that nobody uses, without [Idle].
	DefaultTenantIdle = 5 * time.Minute
	// DefaultOpenWithin is how long the opening of a tenant may take, without [OpenWithin].
	DefaultOpenWithin = 10 * time.Second
)

// A TenantOption says how many tenants [WithTenants] keeps open, and for how long.
type TenantOption func(*tenantOptions)

type tenantOptions struct {
	max          int
	idle, within time.Duration
}

// Max bounds how many tenants are open at once, those being opened and closed included. Where one more is wanted, the one that was not used for
// longest is closed; while all are in use, it waits until one is not. Zero or less means [DefaultMaxTenants].
func Max(n int) TenantOption { return func(o *tenantOptions) { o.max = n } }

// Idle closes a tenant that was not used for d. Zero means [DefaultTenantIdle]; a negative d means that tenants are closed only to make room.
func Idle(d time.Duration) TenantOption { return func(o *tenantOptions) { o.idle = d } }

// OpenWithin bounds how long the opening of a tenant may take: the call of the function, the wait for one that can be closed where [Max] are
// open, and the first answer of its writer. Zero or less means [DefaultOpenWithin].
func OpenWithin(d time.Duration) TenantOption { return func(o *tenantOptions) { o.within = d } }

// WithTenants has a manager open binds on demand: open says where the database of a key is that no bind of the configuration has. Wherever a bind is
// named such a key will do: [DBManager.On], [DBManager.Bind], InTx, Lock and the rest.
//
// A tenant is opened on first use, which waits until its writer has answered, unless its configuration is lazy; its readers are looked at when somebody
// reads. It is closed when it was not used for a while ([Idle]), or to make room for another ([Max]), and never while it
// is in use: by a statement, its rows, a transaction, a lock, a bun.Conn. Closed, it has no connections and no goroutines. A [Bind] that a program
// holds, its Bun DBs and its queries open it again by themselves, within the time of their context; so do prepared statements. What a
// session has written and read counts on after that, and its token holds; a read outside a session shows what this process has written before. A *sql.DB
// of an engine ([Bind.WriterEngine]) is closed for good: it is what is open, not the tenant.
//
// Where there is no context, as for On and Bind, the opening is bounded by [OpenWithin] alone; OnContext has one. Elsewhere both bound it.
// What is wrong with a tenant is a [*TenantError] that names it; that all are in use, a [*TenantsInUseError].
//
// [DBManager.Binds], Check, Drain and Reload are about the binds of the configuration: Reload leaves tenants as they are, and a bind of the file goes before
// a tenant of the same key. [DBManager.Tenants] lists those that are open. [DBManager.Remove] closes one, whose configuration is asked for anew when it is
// used next. A database that lives in memory is gone when its tenant is closed.
func WithTenants(open TenantFunc, opts ...TenantOption) Option {
	var t tenantOptions
	for _, opt := range opts {
		opt(&t)
	}
	if t.max <= 0 {
		t.max = DefaultMaxTenants
	}
	t.idle, t.within = cmp.Or(t.idle, DefaultTenantIdle), max(t.within, 0)
	t.within = cmp.Or(t.within, DefaultOpenWithin)
	return func(o *options) { o.tenantFunc, o.tenants = open, t }
}

// Tenants returns the binds of the tenants that are open, in the order of their keys: see [WithTenants]. To hold one does not keep it open.
func (m *DBManager) Tenants() []*Bind {
	if m.tenants == nil {
		return nil
	}
	var list []*Bind
	for _, t := range m.tenants.list() {
		if b := t.current.Load(); b != nil {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b *Bind) int { return strings.Compare(string(a.key), string(b.key)) })
	return list
}
