package peers

import (
	"context"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/extra/bunexp"
)

// openBunexp leaves the primary out of the resolver: added to it, the primary would serve reads in
// turn with the replicas. Without one there, the resolver leaves writes to the DB's own pool.
func openBunexp(_ context.Context, c Cluster, o Options) (DB, error) {
	if err := noPolicy("Bun's bunexp", o); err != nil {
		return nil, err
	}
	var replicas []bunexp.ReadWriteConnResolverOption
	for _, db := range o.openAll(c.Replicas) {
		replicas = append(replicas, bunexp.WithDBReplica(db, bunexp.DBReplicaReadOnly))
	}
	return newBun(c, o, bun.WithConnResolver(bunexp.NewReadWriteConnResolver(replicas...)))
}
