package integration_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bindery-go/bindery/integration"
)

// A nemesis breaks a cluster's servers and mends them again, by a schedule that its seed decides: what
// befalls readers and what befalls the primary go on side by side. How long servers take to fall and
// to rise the seed does not decide: it replays what is done to whom, not every moment of it.
type nemesis struct {
	cluster *integration.Cluster
	history *history
	seed    uint64
	held    func(ctx context.Context, primary *integration.Server) (map[int]state, error)
	more    []fault // of readers, besides those of all

	// A promotion changes who is who, and holds roles; other faults only look.
	roles   sync.RWMutex
	primary *integration.Server
	readers []*integration.Server // as the addresses
	writer  *forwarder
	backs   []*forwarder // of the readers

	mu     sync.Mutex // guards the rest
	faults map[string]int
	errs   []error
}

// A fault is done to a server and undone.
type fault struct {
	name string
	do   func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error
}

// hold lets a fault last, but not longer than the test, whose end ctx tells.
func hold(ctx context.Context, r *rand.Rand, least, most time.Duration) {
	timer := time.NewTimer(least + time.Duration(r.Int64N(int64(most-least))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// mend does what must be done also when the test is over.
func mend(ctx context.Context, do func(context.Context) error) error {
	return do(context.WithoutCancel(ctx))
}

var readerFaults = []fault{
	{"reader delayed", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		if err := s.DelayReplay(context.WithoutCancel(ctx), 200*time.Millisecond); err != nil {
			return err
		}
		hold(ctx, r, time.Second, 3*time.Second)
		return mend(ctx, func(ctx context.Context) error { return s.DelayReplay(ctx, 0) })
	}},
	{"reader paused", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		if err := s.PauseReplay(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		hold(ctx, r, 500*time.Millisecond, 2*time.Second)
		return mend(ctx, s.ResumeReplay)
	}},
	{"reader killed", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		return killed(ctx, r, s)
	}},
	{"reader paused and killed", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		if err := s.PauseReplay(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		hold(ctx, r, 200*time.Millisecond, 400*time.Millisecond)
		if err := killed(ctx, r, s); err != nil {
			return err
		}
		return mend(ctx, s.ResumeReplay) // a pause may outlive a kill
	}},
	{"reader restarted", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		return mend(ctx, s.Restart)
	}},
	{"reader frozen", frozen},
	{"reader's connections cut", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		n.backs[slices.Index(n.readers, s)].cut()
		return nil
	}},
}

var primaryFaults = []fault{
	{"primary killed", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		return killed(ctx, r, s)
	}},
	{"primary restarted", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		return mend(ctx, s.Restart)
	}},
	{"primary frozen", frozen},
	{"primary's connections cut", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		n.writer.cut()
		return nil
	}},
	{"writer's address leads to several", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		var turns []string // a replica first
		for _, reader := range n.readers {
			turns = append(turns, reader.Addr())
		}
		n.writer.takeTurns(append(turns, s.Addr())...)
		n.writer.cut()
		hold(ctx, r, time.Second, 3*time.Second)
		n.writer.takeTurns()
		n.writer.move(s.Addr())
		return nil
	}},
}

func killed(ctx context.Context, r *rand.Rand, s *integration.Server) error {
	if err := s.Kill(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	hold(ctx, r, 100*time.Millisecond, 800*time.Millisecond)
	return mend(ctx, s.Start)
}

func frozen(ctx context.Context, _ *nemesis, r *rand.Rand, s *integration.Server) error {
	if err := s.Freeze(); err != nil {
		return err
	}
	hold(ctx, r, 300*time.Millisecond, 2*time.Second)
	return s.Thaw()
}

// run breaks and mends until ctx ends. Everything is mended then.
func (n *nemesis) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { n.plague(ctx, 1, append(n.more, readerFaults...)) })
	running.Go(func() { n.plague(ctx, 2, primaryFaults) })
	running.Wait()
}

// plague goes through the faults in an order of its own, again and again. After each round of the
// primary's faults another server becomes the primary.
func (n *nemesis) plague(ctx context.Context, lane uint64, faults []fault) {
	r := rand.New(rand.NewPCG(n.seed, lane))
	for ctx.Err() == nil {
		for _, i := range r.Perm(len(faults)) {
			hold(ctx, r, 200*time.Millisecond, 600*time.Millisecond)
			if ctx.Err() != nil {
				return
			}
			n.inflict(ctx, r, faults[i])
		}
		if lane == 2 && ctx.Err() == nil {
			n.note("promotion", n.promote(ctx, r))
		}
	}
}

func (n *nemesis) inflict(ctx context.Context, r *rand.Rand, f fault) {
	n.roles.RLock()
	defer n.roles.RUnlock()
	victim := n.primary
	if strings.HasPrefix(f.name, "reader") {
		victim = n.readers[r.IntN(len(n.readers))]
	}
	n.note(f.name, f.do(ctx, n, r, victim))
}

func (n *nemesis) note(name string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.faults == nil {
		n.faults = make(map[string]int)
	}
	n.faults[name]++
	if err != nil {
		n.errs = append(n.errs, fmt.Errorf("%s: %w", name, err))
	}
}

// inflicted returns how often each fault was injected.
func (n *nemesis) inflicted() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(n.faults)) {
		list = append(list, fmt.Sprintf("%s %d", name, n.faults[name]))
	}
	return strings.Join(list, ", ")
}

// promote plays a failover: the primary dies or hangs, a reader becomes the primary and takes its
// address, the other one follows, and the former primary comes back as a reader.
func (n *nemesis) promote(ctx context.Context, r *rand.Rand) error {
	n.roles.Lock()
	defer n.roles.Unlock()
	at := r.IntN(len(n.readers))
	laggard, hang, back := r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	steps := context.WithoutCancel(ctx)
	at, err := n.candidate(steps, at)
	if err != nil {
		return err
	}
	old, next, other := n.primary, n.readers[at], n.readers[1-at]
	if laggard { // the next primary misses the last writes, the other reader does not
		if err := next.Stop(steps); err != nil {
			return err
		}
		hold(ctx, r, 100*time.Millisecond, 300*time.Millisecond)
	}
	if err := end(steps, old, hang); err != nil {
		return err
	}
	if laggard {
		if err := next.Start(steps); err != nil {
			return err
		}
	}
	hold(ctx, r, 100*time.Millisecond, 500*time.Millisecond)
	n.writer.move("")
	if err := next.Promote(steps); err != nil {
		return err
	}
	held, err := n.held(steps, next)
	if err != nil {
		return err
	}
	n.history.newEpoch(held)
	n.writer.move(next.Addr())
	n.primary = next
	hold(ctx, r, 300*time.Millisecond, 900*time.Millisecond) // nobody has told the other reader yet
	if err := n.join(steps, other, next); err != nil {
		return err
	}
	if err := old.Rebuild(steps, next); err != nil {
		return err
	}
	if back {
		n.note("former primary back under the writer's address", n.back(ctx, r, old, next))
	}
	n.backs[at].move(old.Addr())
	n.readers[at] = old
	return nil
}

// back has the writer's address lead to the former primary for a while, a replica by now that stands still, and a reader's to
// the primary: so a list of fixed addresses is after a failover.
func (n *nemesis) back(ctx context.Context, r *rand.Rand, old, primary *integration.Server) error {
	steps := context.WithoutCancel(ctx)
	if err := old.PauseReplay(steps); err != nil {
		return err
	}
	n.writer.move(old.Addr())
	hold(ctx, r, time.Second, 3*time.Second)
	n.writer.move(primary.Addr())
	return old.ResumeReplay(steps)
}

// candidate returns which reader can become the primary: the one at first, unless it was rebuilt a
// moment ago and has hardly begun to take what there is.
func (n *nemesis) candidate(ctx context.Context, first int) (int, error) {
	const patience = 4 // times what replays waits
	for range patience {
		for _, at := range []int{first, 1 - first} {
			if n.replays(ctx, n.readers[at]) {
				return at, nil
			}
		}
	}
	return 0, errors.New("no reader follows the primary")
}

func end(ctx context.Context, s *integration.Server, hang bool) error {
	if hang {
		return s.Freeze()
	}
	return s.Kill(ctx)
}

// join lets a reader follow a new primary. One that holds what the primary has not is rebuilt.
func (n *nemesis) join(ctx context.Context, s, primary *integration.Server) error {
	if err := s.Follow(ctx, primary); err != nil {
		return err
	}
	if !n.replays(ctx, s) {
		return s.Rebuild(ctx, primary)
	}
	return nil
}

// replays reports whether s takes what its primary writes.
func (n *nemesis) replays(ctx context.Context, s *integration.Server) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := n.cluster.WaitReplayed(ctx)
	return err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", s.Name()))
}

// settle waits until every reader has what the primary has. One that cannot go on by itself is rebuilt,
// as an operator would: a replica may not outlive everything that is done to it.
func (n *nemesis) settle(ctx context.Context) error {
	n.roles.RLock()
	defer n.roles.RUnlock()
	for _, s := range n.readers {
		if !n.replays(ctx, s) {
			n.note("reader rebuilt: "+replicationError(ctx, s), s.Rebuild(ctx, n.primary))
		}
	}
	return errors.Join(append(n.errs, n.cluster.WaitReplayed(ctx))...)
}

// replicationError returns why a replica of MariaDB or MySQL does not go on.
func replicationError(ctx context.Context, s *integration.Server) string {
	if !inMySQLFamily(s.URI()) {
		return "does not follow"
	}
	const query = "SELECT CONCAT_WS(' / ', SERVICE_STATE, LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE) FROM performance_schema.replication_applier_status_by_coordinator"
	text, err := s.QueryString(ctx, query)
	log := s.Log()
	if i := strings.LastIndex(log, "[ERROR]"); i >= 0 {
		log = log[i:]
	}
	return fmt.Sprint(text, " ", err, " ", log)
}
