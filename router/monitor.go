package router

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// Freshness says how fresh a bind's reads must be, and how often its servers are asked.
type Freshness struct {
	// ReadYourWrites says whose writes a read must show: "process", which is also the meaning of
	// "", those of its session or, without one, of this process; "session", those of its session
	// alone; "off", nobody's.
	ReadYourWrites string
	// MaxLag is how far a reader may trail and still serve reads. Zero means 10 seconds; a negative
	// value accepts any lag. While the writer does not answer, no write is acknowledged to this
	// process, and lag is counted up to its last answer; if it has never answered, lag is unknown, and
	// readers serve whatever theirs is.
	MaxLag time.Duration
	// MonitorInterval is the time between two looks at the servers of a bind that is read from.
	// Zero means 250 ms. Between reads the looks are up to ten times as far apart, but no further than
	// an eighth of MaxLag: five times by default. A read that had to go to the writer makes it look at
	// once.
	//
	// A bind that nobody has read for a minute is looked at once a minute. The first read after that
	// waits until the writer and a reader have been asked, some milliseconds where they answer, two
	// ProbeTimeouts where they do not; then it goes on as any read. It does not wait if MaxLag is
	// negative and a reader will do, with [OnReader] while one was up at the last look, or with
	// [Config.NoFallback]: such a bind is looked at as often as between reads, for good.
	MonitorInterval time.Duration
	// ProbeTimeout is how long a server may take to say where it is before it counts as down.
	// Zero means one second.
	ProbeTimeout time.Duration
}

// DefaultMaxLag is what a MaxLag of zero means.
const DefaultMaxLag = 10 * time.Second

// The modes of read_your_writes.
const (
	ProcessWrites = "process"
	SessionWrites = "session"
	NoWrites      = "off"
)

// WithDefaults returns f with its zero fields filled in.
func (f Freshness) WithDefaults() Freshness {
	if f.ReadYourWrites == "" {
		f.ReadYourWrites = ProcessWrites
	}
	if f.MaxLag == 0 {
		f.MaxLag = DefaultMaxLag
	}
	if f.MonitorInterval == 0 {
		f.MonitorInterval = 250 * time.Millisecond
	}
	if f.ProbeTimeout == 0 {
		f.ProbeTimeout = time.Second
	}
	return f
}

const (
	// firstPoll is how soon a reader that was behind is asked again; each time takes twice as long.
	firstPoll = time.Millisecond
	// goodProbes is how many answers in a row bring a reader back that was down.
	goodProbes = 2
)

// monitor looks at a bind's servers: it asks the writer where it is, asks each reader until it has
// replayed that, and publishes what it finds as a view. Each server is asked by a goroutine of its
// own, so that one that hangs delays no other.
type monitor struct {
	r    *Router
	conf Freshness

	start   sync.Once
	stop    context.CancelFunc
	running sync.WaitGroup

	asked  chan struct{} // closed when every reader has been asked once
	demand chan struct{} // a read went to the writer because no reader was fresh enough
	idle   atomic.Bool   // the next look is far, because nobody read

	checked atomic.Bool   // Health waits for a look
	awake   time.Duration // no rest before; belongs to watchWriter

	mu           sync.Mutex // guards what follows
	samples      samples
	states       []readerState // as Router.readers
	unasked      int           // readers that have not been asked yet
	unserved     bool          // no reader serves, as was logged
	writerErr    error         // why the writer did not answer the last time
	primaryState               // who it is
	writer       pace          // how fast it answers
	proved       time.Duration // the latest moment for which a reader that serves was proved
	proof        time.Duration // how long that takes, a moving average
	resting      bool          // see restAfter
	waking       bool          // the rest ends when a reader has been asked
	woke         time.Duration // the moment of the first look after the latest rest
}

// readerState is what the monitor knows of one reader.
type readerState struct {
	standing
	down bool
	good int // answers in a row since it was down
	comeback
	news  chan struct{} // the writer has been asked: there is something new to reach
	err   error         // why it is down
	heard bool          // since the writer was, the first time
	tardy bool          // left out for its lag, see Freshness.tardy
	took  time.Duration // to answer, a moving average
	seen  time.Duration // when it answered the last time; 0: it never did
	balance
}

func newMonitor(r *Router, conf Freshness) *monitor {
	m := &monitor{r: r, conf: conf, asked: make(chan struct{}), demand: make(chan struct{}, 1), states: make([]readerState, len(r.readers))}
	for i := range m.states {
		m.states[i].news = make(chan struct{}, 1)
		m.states[i].why = errWriterUnknown
	}
	m.unasked = len(r.Readers())
	return m
}

// begin starts the goroutines, once.
func (m *monitor) begin() {
	m.start.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		m.mu.Lock()
		m.stop = cancel
		m.mu.Unlock()
		m.running.Go(func() { m.watchWriter(ctx) })
		for i := range m.states {
			m.running.Go(func() { m.watchReader(ctx, i) })
		}
	})
}

// close ends the goroutines and waits for them.
func (m *monitor) close() {
	m.start.Do(func() {}) // none may start any more
	m.mu.Lock()
	stop := m.stop
	m.mu.Unlock()
	if stop != nil {
		stop()
	}
	m.running.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.resting { // no look will end it
		m.resting = false
		m.publishLocked()
	}
}

func (m *monitor) watchWriter(ctx context.Context) {
	m.awake = m.r.now() + restAfter
	for {
		m.askWriter(ctx)
		asked := time.Now()
		if !m.wait(ctx) {
			return
		}
		if gap := demandGap - time.Since(asked); gap > 0 && !pause(ctx, gap) {
			return
		}
	}
}

func (m *monitor) askWriter(ctx context.Context) {
	if m.r.view.Load().resting { // the connection kept for probes may be broken by now
		m.r.writer.ProbeAnew()
	}
	epoch, told := m.tellPeers()
	at := m.r.question()
	probe, err := m.probe(ctx, m.r.writer, m.r.probeWriter)
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noteWriter(err)
	if err == nil {
		m.hearWriterLocked(at, probe)
		if !m.resting { // then it was asked on a new connection
			m.writer.note(m.r.now() - at)
		}
	}
	woken := m.resting && m.wanted()
	// Who does not need the answer has been told, and is told again if there is none.
	if told = told && epoch == m.samples.epoch; (err == nil) != told || woken {
		m.tellReadersLocked()
	}
	if woken {
		m.wakeLocked(at)
	}
	if err != nil || woken && !m.resting {
		m.publishLocked()
	}
}

// tellReadersLocked has every reader asked.
func (m *monitor) tellReadersLocked() {
	for i := range m.states {
		if m.resting {
			m.r.readers[i].engine.ProbeAnew()
		}
		m.tellLocked(i)
	}
}

// tellLocked has reader i asked.
func (m *monitor) tellLocked(i int) {
	select {
	case m.states[i].news <- struct{}{}:
	default:
	}
}

// writerMoved makes void what is known, because the writer's address leads to another server than the
// one that was asked.
func (m *monitor) writerMoved(to binds.Probe) {
	m.r.writer.ProbeAnew()
	if m.movedToPeer(to) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples.list = nil
	m.voidLocked(errors.New("its address leads to another server"))
	m.want()
}

// voidLocked forgets what is known of every reader, and retires the writer's connections: they may
// lead to the server of before.
func (m *monitor) voidLocked(reason error) {
	m.r.logger.Warn("writer changed: readers prove their freshness anew, sessions' tokens of before are void", "bind", m.r.key.String(), "reason", reason)
	m.r.writerConns.retire()
	m.writer = pace{} // of the server of before
	for i := range m.states {
		m.states[i].void()
		m.r.readers[i].publish(&m.states[i].standing, m.r.now())
	}
	m.publishLocked()
}

// noteWriter logs when the writer goes and when it comes back.
func (m *monitor) noteWriter(err error) {
	switch {
	case err != nil && m.writerErr == nil:
		m.r.logger.Warn("writer does not answer", "engine", m.r.writer.Name(), "error", err)
		m.endOvertakesLocked()
	case err == nil && m.writerErr != nil:
		m.r.logger.Info("writer answers again", "engine", m.r.writer.Name())
	}
	m.writerErr = err
}

// probe asks an engine where it is, within the time that a probe may take.
func (m *monitor) probe(ctx context.Context, e *binds.Engine, ask func(context.Context) (binds.Probe, error)) (binds.Probe, error) {
	ctx, cancel := context.WithTimeout(ctx, m.conf.ProbeTimeout)
	defer cancel()
	p, err := ask(ctx)
	if errors.Is(err, binds.ErrNoPosition) {
		p, err = binds.Probe{Doubt: binds.ErrNoPosition, Primary: e.Role() == binds.Writer}, e.Ping(ctx)
	}
	return p, err
}

// watchReader asks reader i whenever there is news of the writer, and again, ever more slowly, while
// it is behind that.
func (m *monitor) watchReader(ctx context.Context, i int) {
	s := &m.states[i]
	poll := firstPoll
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.news:
			poll = firstPoll
		case <-timer.C:
		}
		switch behind := m.askReader(ctx, i); {
		case behind && m.atRest(): // the next look asks it; this is for want of a writer
			timer.Reset(2 * restInterval)
		case behind:
			timer.Reset(poll)
			poll = min(2*poll, m.conf.MonitorInterval)
		case m.provesAlone(i):
			timer.Reset(m.conf.MonitorInterval)
		}
	}
}

// askReader asks reader i and publishes the outcome. It reports whether to ask again soon.
func (m *monitor) askReader(ctx context.Context, i int) (again bool) {
	reader := m.r.readers[i]
	anew := m.askAnew(i)
	asked, question, rests := m.askedAt(reader)
	if rests {
		return false
	}
	probe, err := m.probe(ctx, reader.engine, reader.engine.Probe)
	answered := m.r.moment()
	if ctx.Err() != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.states[i]
	m.noteAskedLocked(reader, s)
	if !s.down {
		m.endRestLocked()
	}
	if err == nil {
		err = m.samples.otherView(probe)
	}
	if m.staysUnproved(i, err) {
		m.publishLocked()
		return true
	}
	if err != nil {
		hung := errors.Is(err, context.DeadlineExceeded)
		m.ejectLocked(i, err)
		if hung {
			reader.conns.interrupt()
		}
		return true
	}
	took := m.r.now() - asked
	s.took, s.seen = average(s.took, took), asked+took
	reader.probed(took)
	before := s.why
	m.hearReaderLocked(reader, asked, probe)
	s.asked = 0
	if question {
		s.asked = asked
	}
	s.judge(probe, asked, anew)
	s.learn(probe, answered, &m.samples)
	logDoubt(m.r.logger, reader.Name(), before, s.why)
	if s.down {
		if s.good++; s.good >= goodProbes && s.mayReturn(m.r.now()) {
			s.down, s.err = false, nil
			reader.latency.Store(0) // what was slow or refused is not what is there now
			m.r.logger.Info("reader is back", "engine", reader.Name())
		}
	}
	reader.publish(&s.standing, m.r.now())
	m.publishLocked()
	last, ok := m.samples.last()
	if probe.Peer { // what the writer has said since does not matter
		return s.down || ok && s.why == nil && !question
	}
	return s.down || ok && s.why == nil && s.horizon < last.at
}

// askedAt returns the moment of a question to a reader that begins now, whether that is one of Router.question, and
// whether it is not to be asked.
func (m *monitor) askedAt(reader *Reader) (at time.Duration, question, rests bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// It may be the primary, so that the moment is that of a sample, or prove itself.
	if m.demoted || m.states[reader.place].asksItself() {
		return m.r.question(), true, m.rests(reader)
	}
	return m.r.now(), false, m.rests(reader)
}

// noteAskedLocked counts down the readers that have not been asked since the writer was.
func (m *monitor) noteAskedLocked(reader *Reader, s *readerState) {
	if _, ok := m.samples.last(); s.heard || reader == m.r.standby || !ok && m.writerErr == nil && !m.demoted {
		return
	}
	s.heard = true
	if m.unasked--; m.unasked == 0 {
		close(m.asked)
	}
}

// eject takes a reader out at once, because a read found it gone. Good probes bring it back.
func (m *monitor) eject(reader *Reader, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.r.readers {
		if r == reader {
			m.states[i].ejected(m.r.now(), m.states[i].down)
			m.ejectLocked(i, err)
			m.tellLocked(i)
		}
	}
}

// whyDown returns why the first reader that is down is that, nil if none is.
func (m *monitor) whyDown() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.states {
		switch {
		case m.states[i].down:
			return m.states[i].err
		case m.r.readers[i].drained.Load():
			return ErrDrained
		}
	}
	return nil
}

func (m *monitor) ejectLocked(i int, err error) {
	s := &m.states[i]
	s.good = 0
	if !s.down {
		s.down, s.err = true, err
		if by := m.r.observer.Load(); by != nil {
			by.Ejected(m.r.readers[i].engine)
		}
		m.r.logger.Warn("reader is down: its reads go elsewhere", "engine", m.r.readers[i].Name(), "error", err)
	}
	m.publishLocked()
}

// moved notes that a new connection to a reader found another server or an older state than its claim
// says: what was known is void, unless the monitor has found the same meanwhile.
func (m *monitor) moved(reader *Reader, was *claim, server string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.r.readers {
		if r != reader {
			continue
		}
		s := &m.states[i]
		if reader.claim.Load() != was && server == s.server {
			continue
		}
		if server != s.server {
			m.suspectsLocked(i, server)
		}
		s.forget()
		reader.publish(&s.standing, m.r.now())
		m.publishLocked()
		m.tellLocked(i)
	}
}

// pause waits, and reports whether the wait was not cut short.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
