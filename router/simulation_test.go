package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// TestSimulation lets sessions write and read while servers lag, freeze, go down, restart and are promoted, and addresses lead
// to several servers, all on a clock of its own: each seed is another history, much the same each time it is run. It checks
// what each session saw, and that no statement waits for longer than what befell the servers explains.
//
// The same few seeds are run each time. BINDERY_SIMULATIONS runs as many new ones, 200 in make soak; BINDERY_SIMULATION_SEED runs one, and
// shows it.
func TestSimulation(t *testing.T) {
	if text := os.Getenv("BINDERY_SIMULATION_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		s := simulate(t, seed)
		t.Log(strings.Join(s.events, "\n") + "\n" + s.p.log.String())
		s.judge(t)
		return
	}
	many, first := 6, uint64(1)
	if text := os.Getenv("BINDERY_SIMULATIONS"); text != "" {
		var err error
		many, err = strconv.Atoi(text)
		require.NoError(t, err)
		first = rand.Uint64N(1 << 32)
	}
	reads, writes, fromReaders, faults, looks := 0, 0, 0, 0, 0
	for i := range uint64(many) {
		s := simulate(t, first+i)
		if s.judge(t); t.Failed() {
			t.Fatalf("replay with BINDERY_SIMULATION_SEED=%d", first+i)
		}
		reads, writes, fromReaders, faults, looks = reads+s.reads, writes+s.writes, fromReaders+s.fromReaders, faults+len(s.events), looks+s.lagging
	}
	t.Logf("%d histories from seed %d: %d reads, %d of them on readers, %d writes, %d faults; %d looks", many, first, reads, fromReaders, writes, faults, looks)
	assert.Greater(t, 10*fromReaders, reads, "a tenth at least is served by readers")
	assert.Positive(t, looks)
}

const (
	simulated = 20 * time.Second // of the bubble's clock
	// mostAway is how long a fault lasts at most, and mostWait how long a statement may take then: it waits for the writer for 3 s, and
	// looks as often as faults follow each other.
	mostAway = 2 * time.Second
	mostWait = 8 * time.Second
)

// simulation is one history. Goroutines of a bubble run in parallel, so it is guarded.
type simulation struct {
	p     *process
	other *process // which reads what may be simulatedLag old, and writes nothing

	addresses []*routertest.Server // whom the readers' addresses lead to; the nemesis's own
	writing   chan struct{}        // who writes puts one in, and who promotes all that there is room for: so no write is lost

	mu          sync.Mutex // guards the rest
	began       time.Time
	events      []string
	wrong       []string
	acked, sent []int64 // of each row
	acks        []ack
	astray      int       // faults of addresses
	led         time.Time // the end of the latest of them
	lagging     int       // reads of what may be old, checked
	reads       int
	fromReaders int
	writes      int
}

func (s *simulation) event(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprintf("%8v %s", time.Since(s.began).Round(time.Millisecond), fmt.Sprintf(format, args...)))
}

func (s *simulation) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, fmt.Sprintf("%8v %s", time.Since(s.began).Round(time.Millisecond), fmt.Sprintf(format, args...)))
}

func (s *simulation) judge(t *testing.T) {
	t.Helper()
	assert.Empty(t, s.wrong)
	assert.Positive(t, s.writes)
}

const (
	simulatedSessions = 4
	// simulatedLag is the other process's max_lag. Its view of a server is as old as a probe that the server lets wait for its time-out, and
	// as the question before.
	simulatedLag  = 500 * time.Millisecond
	simulatedView = 2500 * time.Millisecond
)

// An ack is a write that was carried out.
type ack struct {
	at    time.Time
	row   int
	value int64
}

func simulate(t *testing.T, seed uint64) *simulation {
	t.Helper()
	s := &simulation{acked: make([]int64, simulatedSessions+1), sent: make([]int64, simulatedSessions+1)}
	synctest.Test(t, func(t *testing.T) {
		s.writing = make(chan struct{}, simulatedSessions)
		c := routertest.New(t, 2)
		s.p, s.began, s.addresses = newProcess(t, c, nil), time.Now(), c.Replicas()
		s.other = newProcess(t, c, func(cfg *router.Config) {
			cfg.Freshness.ReadYourWrites, cfg.Freshness.MaxLag = router.NoWrites, simulatedLag
		})
		s.p.createTable(t)
		for row := 2; row <= simulatedSessions; row++ {
			_, err := s.p.db.NewInsert().Model(&counter{ID: int64(row)}).Exec(t.Context())
			require.NoError(t, err)
		}
		ctx, stop := context.WithTimeout(t.Context(), simulated)
		defer stop()
		var running sync.WaitGroup
		for row := 1; row <= simulatedSessions; row++ {
			running.Go(func() { s.session(ctx, rand.New(rand.NewPCG(seed, uint64(row))), row) })
		}
		running.Go(func() { s.look(ctx, rand.New(rand.NewPCG(seed, simulatedSessions+1))) })
		running.Go(func() { s.plague(ctx, rand.New(rand.NewPCG(seed, 0))) })
		running.Wait()
	})
	return s
}

// shown is what a row must show at least, and why.
type shown struct {
	value int64
	from  string
}

// session writes its own row and reads all, and renews itself now and then.
func (s *simulation) session(ctx context.Context, r *rand.Rand, row int) {
	within := router.NewSession(ctx)
	least := make([]shown, simulatedSessions+1)
	for ctx.Err() == nil {
		time.Sleep(time.Duration(r.Int64N(int64(60 * time.Millisecond))))
		switch r.IntN(20) {
		case 0:
			within, least = router.NewSession(ctx), make([]shown, simulatedSessions+1)
		case 1, 2, 3, 4, 5, 6:
			s.write(within, row, least)
		case 7, 8, 9:
			s.read(router.OnWriter(within), "OnWriter", least, false)
		case 10:
			s.read(router.OnReader(within), "OnReader", least, true)
		case 11:
			outside := make([]shown, simulatedSessions+1)
			s.mu.Lock()
			for row, value := range s.acked {
				outside[row] = shown{value, "a write of the process"}
			}
			s.mu.Unlock()
			s.read(ctx, "no session", outside, false)
		default:
			s.read(within, "plain", least, false)
		}
	}
}

// look reads what may be old, but no older than simulatedLag, by a process that has written nothing. While it meets others than the
// primary at the writer's address it cannot know, and for a while after that.
func (s *simulation) look(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(r.Int64N(int64(60 * time.Millisecond))))
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTime)
		bounded, route := router.Explain(bounded)
		began := time.Now()
		var rows []counter
		err := s.other.db.NewSelect().Model(&rows).Scan(bounded)
		s.took("a look", began, err)
		cancel()
		if err != nil {
			continue
		}
		s.mu.Lock()
		if s.astray == 0 && began.Sub(s.led) > simulatedView {
			s.lagging++
			for _, row := range rows {
				least := int64(0)
				for _, a := range s.acks {
					if a.row == int(row.ID) && began.Sub(a.at) > simulatedLag+simulatedView {
						least = max(least, a.value)
					}
				}
				if row.Value < least {
					s.wrong = append(s.wrong, fmt.Sprintf("%8v a look at row %d shows %d, %d was written more than %v before: %s",
						time.Since(s.began), row.ID, row.Value, least, simulatedLag+simulatedView, route))
				}
			}
		}
		s.mu.Unlock()
	}
}

// leadAstray counts the faults of addresses that last.
func (s *simulation) leadAstray(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.astray += by
	s.led = time.Now()
}

// statementTime bounds a statement, as a request's deadline does.
const statementTime = 15 * time.Second

func (s *simulation) write(ctx context.Context, row int, least []shown) {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	s.mu.Lock()
	s.sent[row]++
	value := s.sent[row]
	s.mu.Unlock()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTime)
	defer cancel()
	began := time.Now()
	_, err := s.p.db.NewUpdate().Model(&counter{ID: int64(row), Value: value}).WherePK().Exec(bounded)
	s.took("write", began, err)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	s.acked[row] = value
	s.acks = append(s.acks, ack{time.Now(), row, value})
	least[row] = shown{value, "its own write"}
}

// read checks what a read shows against what it must show at least, unless it is free to show less, and raises that.
func (s *simulation) read(ctx context.Context, how string, least []shown, free bool) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTime)
	defer cancel()
	bounded, route := router.Explain(bounded)
	began := time.Now()
	var rows []counter
	err := s.p.db.NewSelect().Model(&rows).Scan(bounded)
	s.took(how, began, err)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if !strings.Contains(route.String(), "shop/writer (") {
		s.fromReaders++
	}
	for _, row := range rows {
		id := int(row.ID)
		switch {
		case row.Value > s.sent[id]:
			s.wrong = append(s.wrong, fmt.Sprintf("%s read %d of row %d, of which %d was sent last: %s", how, row.Value, id, s.sent[id], route))
		case !free && row.Value < least[id].value:
			s.wrong = append(s.wrong, fmt.Sprintf("%8v %s read %d of row %d, after %d by %s: %s", time.Since(s.began), how, row.Value, id, least[id].value, least[id].from, route))
		case row.Value > least[id].value:
			least[id] = shown{row.Value, fmt.Sprint(how, " ", route, " at ", time.Since(s.began))}
		}
	}
}

// took complains of what took too long, and of errors that no fault explains.
func (s *simulation) took(what string, began time.Time, err error) {
	if took := time.Since(began); took > mostWait {
		s.complain("%s took %v: %v", what, took, err)
	}
	var gone *router.UnavailableError
	var none *router.NoReaderError
	var behind *router.WriterBehindError
	var broken *router.ReadBrokenError
	switch {
	case err == nil, errors.Is(err, router.ErrOutcomeUnknown), errors.As(err, &gone), errors.As(err, &none), errors.As(err, &behind), errors.As(err, &broken):
	case err == io.ErrUnexpectedEOF: // the rows broke that the caller was reading
	default:
		s.complain("%s: %v", what, err)
	}
}

// plague breaks servers and mends them, one or two faults at a time.
func (s *simulation) plague(ctx context.Context, r *rand.Rand) {
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
		if r.IntN(6) == 0 {
			running.Wait()
			s.promote(r)
			continue
		}
		f, which, lasts := simulatedFaults[r.IntN(len(simulatedFaults))], r.IntN(2), time.Duration(r.Int64N(int64(mostAway)))
		running.Go(func() {
			replica := s.p.cluster.Replicas()[which]
			s.event("%s, %v, for %v", f.name, replica, lasts)
			f.do(s, replica, lasts)
			s.event("%s, %v: over", f.name, replica)
		})
		if r.IntN(3) > 0 {
			running.Wait()
		}
	}
}

// simulatedFaults are what befalls the primary or a replica for a time.
var simulatedFaults = []struct {
	name string
	do   func(s *simulation, replica *routertest.Server, lasts time.Duration)
}{
	{"replica trails", func(_ *simulation, replica *routertest.Server, lasts time.Duration) {
		replica.SetLag(lasts)
		time.Sleep(2 * lasts)
		replica.SetLag(0)
	}},
	{"replica stands still", func(_ *simulation, replica *routertest.Server, lasts time.Duration) {
		replica.PauseReplay()
		time.Sleep(lasts)
		replica.ResumeReplay()
	}},
	{"replica frozen", func(_ *simulation, replica *routertest.Server, lasts time.Duration) {
		replica.Freeze()
		time.Sleep(lasts)
		replica.Thaw()
	}},
	{"replica down", func(_ *simulation, replica *routertest.Server, lasts time.Duration) {
		replica.Down()
		time.Sleep(lasts)
		replica.Up()
	}},
	{"replica restarts at an older state", func(_ *simulation, replica *routertest.Server, lasts time.Duration) {
		replica.SetLag(lasts)
		replica.CrashRestart(5)
		time.Sleep(lasts)
		replica.SetLag(0)
	}},
	{"primary frozen", func(s *simulation, _ *routertest.Server, lasts time.Duration) {
		primary := s.p.cluster.Primary()
		primary.Freeze()
		time.Sleep(lasts)
		primary.Thaw()
	}},
	{"primary down", func(s *simulation, _ *routertest.Server, lasts time.Duration) {
		primary := s.p.cluster.Primary()
		primary.Down()
		time.Sleep(lasts)
		primary.Up()
	}},
	{"primary restarts", func(s *simulation, _ *routertest.Server, lasts time.Duration) {
		primary := s.p.cluster.Primary()
		primary.Down()
		primary.CrashRestart(0)
		time.Sleep(lasts)
		primary.Up()
	}},
	{"primary restarts twice while a replica has stood still", func(s *simulation, replica *routertest.Server, lasts time.Duration) {
		primary := s.p.cluster.Primary()
		replica.PauseReplay()
		time.Sleep(2 * simulatedView)
		for _, up := range []time.Duration{210 * time.Millisecond, 0} {
			primary.Down()
			primary.CrashRestart(0)
			time.Sleep(lasts)
			primary.Up()
			time.Sleep(up)
		}
		replica.ResumeReplay()
	}},
	{"commits wait", func(s *simulation, _ *routertest.Server, lasts time.Duration) {
		primary := s.p.cluster.Primary()
		primary.SetCommitWait(lasts / 4)
		time.Sleep(lasts)
		primary.SetCommitWait(0)
	}},
	{"writer's address leads to several", func(s *simulation, replica *routertest.Server, lasts time.Duration) {
		s.leadAstray(1)
		defer s.leadAstray(-1)
		replica.PauseReplay()
		s.p.cluster.BalanceWriter(append(s.p.cluster.Replicas(), s.p.cluster.Primary())...)
		time.Sleep(lasts)
		s.p.cluster.MoveWriter(s.p.cluster.Primary())
		replica.ResumeReplay()
	}},
	{"writer's address leads to a replica", func(s *simulation, replica *routertest.Server, lasts time.Duration) {
		s.leadAstray(1)
		defer s.leadAstray(-1)
		replica.PauseReplay()
		s.p.cluster.MoveWriter(replica)
		time.Sleep(lasts)
		s.p.cluster.MoveWriter(s.p.cluster.Primary())
		replica.ResumeReplay()
	}},
	{"the addresses of the writer and a replica are exchanged", func(s *simulation, replica *routertest.Server, lasts time.Duration) {
		s.leadAstray(1)
		defer s.leadAstray(-1)
		c, at := s.p.cluster, slices.Index(s.addresses, replica)
		c.MoveWriter(replica)
		c.Balance(at, c.Primary())
		time.Sleep(2 * lasts)
		c.Balance(at, replica)
		c.MoveWriter(c.Primary())
	}},
}

// promote lets the primary die, and a replica take its place and address; the former primary comes back as a replica at that one's
// address. All faults are over.
func (s *simulation) promote(r *rand.Rand) {
	for range cap(s.writing) {
		s.writing <- struct{}{}
	}
	c := s.p.cluster
	old, at := c.Primary(), r.IntN(2)
	next := c.Replicas()[at]
	s.event("%v is promoted", next)
	time.Sleep(time.Millisecond)
	if r.IntN(2) == 0 {
		old.Freeze()
	} else {
		old.Down()
	}
	time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
	c.Promote(next)
	time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
	old.Heal()
	c.Rejoin(old)
	for i, address := range s.addresses {
		if address == next {
			s.addresses[i] = old
			c.Balance(i, old)
		}
	}
	s.event("%v is the primary", next)
	for range cap(s.writing) {
		<-s.writing
	}
}
