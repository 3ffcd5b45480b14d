package router

import (
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"golang.org/x/time/rate"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// SlowHook returns a hook for the bind's Bun DBs that writes one line to the log for each statement that took least or longer, failed ones, BEGIN, COMMIT and
// ROLLBACK included: with bind, engine, the reason it ran there, how long it took and how much of that it waited for a connection, the number of rows, the
// statement's outline without values, and the place in the program that sent it. It writes ten lines a second at most, in bursts of ten; the next line says how
// many were left out. Of [bun.SelectQuery.Rows] it sees the time to the first answer. With a hook, Bun allocates an event for each query.
func (r *Router) SlowHook(least time.Duration) bun.QueryHook {
	return &slowHook{router: r, least: least, lines: rate.NewLimiter(slowLines, slowLines)}
}

const (
	slowLines   = 10  // a second
	slowOutline = 500 // bytes
)

type slowHook struct {
	router *Router
	least  time.Duration
	lines  *rate.Limiter

	mu      sync.Mutex // guards leftOut
	leftOut int
}

// A timing is what becomes known of one statement on its way. It is safe for concurrent use.
type timing struct {
	mu      sync.Mutex // guards the rest
	engine  string
	reason  Reason
	reached time.Time // when it got its connection, the first time
}

// reach notes that the statement has a connection.
func (t *timing) reach(c *watchedConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reached.IsZero() {
		t.reached = time.Now()
	}
	if e := c.notice.engine; e != nil {
		t.engine = e.Name()
	}
}

func (t *timing) because(reason Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reason = reason
}

func (h *slowHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	t := new(timing)
	if before := scopeOf(ctx).timing; before != nil { // the transaction's BEGIN, for its COMMIT
		before.mu.Lock()
		t.engine = before.engine
		before.mu.Unlock()
	}
	return withScope(ctx, func(s *scope) { s.timing = t })
}

func (h *slowHook) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	took := time.Since(e.StartTime)
	t := scopeOf(ctx).timing
	if took < h.least || t == nil {
		return
	}
	r := h.router
	r.stats.slow.Add(1)
	h.mu.Lock()
	if !h.lines.Allow() {
		h.leftOut++
		h.mu.Unlock()
		return
	}
	leftOut := h.leftOut
	h.leftOut = 0
	h.mu.Unlock()

	t.mu.Lock()
	engine, reason, reached := t.engine, t.reason, t.reached
	t.mu.Unlock()
	attrs := []slog.Attr{slog.String("bind", r.key.String())}
	if engine != "" {
		attrs = append(attrs, slog.String("engine", engine))
	}
	if reason != Unrouted {
		attrs = append(attrs, slog.String("reason", reason.String()))
	}
	attrs = append(attrs, slog.Duration("took", took.Round(time.Microsecond)))
	if !reached.IsZero() && reached.After(e.StartTime) {
		attrs = append(attrs, slog.Duration("waited", reached.Sub(e.StartTime).Round(time.Microsecond)))
	}
	if e.Result != nil {
		if n, err := e.Result.RowsAffected(); err == nil {
			attrs = append(attrs, slog.Int64("rows", n))
		}
	}
	attrs = append(attrs, slog.String("statement", sqlkind.Outline(r.dialect.Name(), e.Query, slowOutline)), slog.Bool("failed", e.Err != nil))
	if at := callerOutside(); at != "" {
		attrs = append(attrs, slog.String("at", at))
	}
	if leftOut > 0 {
		attrs = append(attrs, slog.Int("left_out", leftOut))
	}
	r.logger.LogAttrs(ctx, slog.LevelWarn, "slow statement", attrs...)
}

// own are the packages between a program and its statement.
var own = []string{"github.com/uptrace/bun", "github.com/bindery-go/bindery/", "database/sql.", "runtime.", "reflect.", "sync."}

// callerOutside returns the place nearest to the statement that is none of ours: "billing/charge.go:42".
func callerOutside() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		ours := false
		for _, prefix := range own {
			ours = ours || strings.HasPrefix(f.Function, prefix)
		}
		if f.File != "" && (!ours || strings.HasSuffix(f.File, "_test.go")) {
			dir, file := "", f.File
			if i := strings.LastIndexByte(file, '/'); i >= 0 {
				dir, file = file[:i], file[i+1:]
			}
			if i := strings.LastIndexByte(dir, '/'); i >= 0 {
				dir = dir[i+1:]
			}
			return dir + "/" + file + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
		}
	}
}
