package manager

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// An Option says what only code can say.
type Option func(*options)

type options struct {
	drivers  *binds.Drivers
	logger   *slog.Logger
	policies []boundPolicy
	policyOf map[binds.Key]router.Policy // the first of policies for each bind
	bun      []bun.DBOption
	hooks    []bun.QueryHook

	noForeignKeys bool
	guard         bool
	password      func(ctx context.Context, engine string) (string, error)
	defaultKey    binds.Key
	watches       bool
	ready         time.Duration
	drain         time.Duration
	tenantFunc    TenantFunc // nil: there are no tenants
	tenants       tenantOptions
	bindNames     atomic.Pointer[[]string] // of all binds that the manager has
	lines         lines                    // the latest of logger
}

func (o *options) setBindNames(names []string) { o.bindNames.Store(&names) }

// namesOfBinds returns what setBindNames was given last.
func (o *options) namesOfBinds() []string {
	if names := o.bindNames.Load(); names != nil {
		return *names
	}
	return nil
}

type boundPolicy struct {
	bound  binds.Bound
	policy router.Policy
}

func newOptions(opts []Option) *options {
	o := &options{drivers: binds.Default, logger: slog.Default(), drain: DefaultDrain}
	for _, opt := range opts {
		opt(o)
	}
	if o.logger == nil {
		o.logger = slog.Default()
	}
	o.logger = o.lines.keep(o.logger)
	o.policyOf = make(map[binds.Key]router.Policy, len(o.policies))
	for _, p := range o.policies {
		key, err := binds.KeyOf(p.bound) // open reports what names no bind
		if _, given := o.policyOf[key]; err == nil && !given {
			o.policyOf[key] = p.policy
		}
	}
	return o
}

// WithLogger sends the manager's log lines to l. Without it, and if l is nil, they go to slog.Default().
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithDrivers opens URIs with the drivers of ds. Without it those of [binds.Default] do.
func WithDrivers(ds *binds.Drivers) Option { return func(o *options) { o.drivers = ds } }

// WithPolicy picks the readers of a bind by p, whatever the configuration says.
func WithPolicy(b binds.Bound, p router.Policy) Option {
	return func(o *options) { o.policies = append(o.policies, boundPolicy{b, p}) }
}

// WithQueryHook adds h to the Bun DBs of every bind. A hook must be safe for concurrent use. Let its AfterQuery
// recover from its own panics: one behind a BEGIN or a query for rows keeps their connection, see [models.PanicError].
func WithQueryHook(h bun.QueryHook) Option {
	return func(o *options) { o.hooks = append(o.hooks, h) }
}

// WithGuard refuses also what Bun sends past the router to the wrong bind: builders of a bun.Tx or a
// bun.Conn on a model that lives in another bind, and builders of another bind in the arguments of a Bun DB's
// ExecContext and QueryContext. The error is a [*router.WrongBindError], and nothing is sent. The manager's builders, those
// of [Bind.DB], InTx, and the functions of package models are checked without it. It costs what any of Bun's hooks
// costs: an allocation for each query. It runs behind the hooks of [WithQueryHook]. A query that is given another bind's connection by
// its Conn is not seen.
func WithGuard() Option { return func(o *options) { o.guard = true } }

// WithBunOptions opens the Bun DBs of every bind with opts, such as bun.WithDiscardUnknownColumns.
// A bun.WithConnResolver among them is replaced by the bind's router.
func WithBunOptions(opts ...bun.DBOption) Option {
	return func(o *options) { o.bun = append(o.bun, opts...) }
}
