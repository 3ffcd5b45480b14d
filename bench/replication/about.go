package replication

import (
	"fmt"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// about says what was compared, and how.
func about(p plan) []string {
	return []string{
		fmt.Sprintf("A primary and %d replicas of PostgreSQL and of MariaDB, real servers. Before each stands a proxy that lets through %.0f statements a second, "+
			"in the order in which they come, and adds nothing else: servers that share one machine would share its cores, and this way each has a capacity of its own, "+
			"so that work which leaves the primary shows as throughput. What a library asks by itself, bindery's probes above all, goes through the same proxies and takes "+
			"from the same capacity; it is the last column.", replicas, p.capacity),
		fmt.Sprintf("%d workers in a closed loop without pauses run sessions of %d operations, %.0f %% of them writes. A session raises the version of rows that nobody else writes meanwhile, "+
			"reads %.0f %% of them back at once and others later, and reads its own rows and those of others. A read that shows an older version than the session wrote is stale; "+
			"another one that shows an older version than the session has read went backwards. At the end the primary must hold every write.",
			p.workers, sessionLength, 100*writeShare, 100*atOnce),
		fmt.Sprintf("The modes take turns, %d times, in another order each time; figures are medians over the turns, the ratio is the median of the ratios within a round, "+
			"and the share of reads on replicas is what the proxies counted. Every mode has the same drivers (bun's pgdriver, go-sql-driver/mysql), pools of %d connections "+
			"to each server, so that no pool is the limit, and its own pools throughout.", p.rounds, p.workers),
		fmt.Sprintf("The mode that stays on the primary for %s after a write does what Rails' DatabaseSelector does, per session, by a resolver of 40 lines. It knows nothing of the lag: it is right while the lag is "+
			"below that, and wrong when it is not. bindery's sessions are what its middleware gives each request; without sessions its default makes each read wait for the whole process's writes.",
			report.Duration(stickFor)),
		fmt.Sprintf("Each database is seen with replication as it comes and with replicas that lag by %s: PostgreSQL by recovery_min_apply_delay, MariaDB, whose own delay has whole seconds, "+
			"by a proxy that hands on the replication stream so much later.", p.lag),
	}
}
