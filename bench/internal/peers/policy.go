package peers

import (
	"fmt"
	"sync"

	"gorm.io/plugin/dbresolver"
	"xorm.io/xorm"
)

// noPolicy reports that there is no choice of policies: bunexp has but one, and the random one of
// bxcodec/dbresolver leaves callers waiting without end when several call it at a time.
func noPolicy(library string, o Options) error {
	if o.Policy == "" {
		return nil
	}
	return fmt.Errorf("peers: %s has no policy %q", library, o.Policy)
}

// gormPolicy returns a policy of dbresolver's. Its RoundRobinPolicy counts without synchronisation: the
// strict one is for concurrent use.
func gormPolicy(name string) (dbresolver.Policy, error) {
	switch name {
	case "":
		return nil, nil // its default, random
	case "random":
		return dbresolver.RandomPolicy{}, nil
	case "round_robin":
		return dbresolver.StrictRoundRobinPolicy(), nil
	}
	return nil, fmt.Errorf("peers: gorm's dbresolver has no policy %q", name)
}

// xormPolicy returns a policy of EngineGroup's.
func xormPolicy(name string) ([]xorm.GroupPolicy, error) {
	switch name {
	case "":
		return nil, nil // its default, round robin
	case "round_robin":
		return []xorm.GroupPolicy{xorm.RoundRobinPolicy()}, nil
	case "random":
		return []xorm.GroupPolicy{oneAtATime(xorm.RandomPolicy())}, nil
	case "least_conn":
		return []xorm.GroupPolicy{xorm.LeastConnPolicy()}, nil
	}
	return nil, fmt.Errorf("peers: xorm's EngineGroup has no policy %q", name)
}

// oneAtATime calls a policy by one goroutine at a time: xorm's RandomPolicy shares a source of random
// numbers that is not safe for concurrent use.
func oneAtATime(p xorm.GroupPolicy) xorm.GroupPolicyHandler {
	var mu sync.Mutex
	return func(g *xorm.EngineGroup) *xorm.Engine {
		mu.Lock()
		defer mu.Unlock()
		return p.Slave(g)
	}
}
