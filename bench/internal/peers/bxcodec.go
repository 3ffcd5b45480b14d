package peers

import (
	"context"
	"errors"

	"github.com/bxcodec/dbresolver/v2"
)

// openBxcodec takes the default, which is round robin.
func openBxcodec(_ context.Context, c Cluster, o Options) (DB, error) {
	t, err := textsFor(c.Dialect)
	if err := errors.Join(err, noPolicy("bxcodec/dbresolver", o)); err != nil {
		return nil, err
	}
	db := dbresolver.New(
		dbresolver.WithPrimaryDBs(o.open(c.Primary)),
		dbresolver.WithReplicaDBs(o.openAll(c.Replicas)...),
	)
	return &sqlDB{
		statements: statements{db, t},
		begin:      func(ctx context.Context) (sqlTx, error) { return db.BeginTx(ctx, nil) },
		close:      db.Close,
	}, nil
}
