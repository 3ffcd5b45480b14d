package manager

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// What is kept of the log, for [DBManager.Handler].
const (
	keptLines     = 100
	keptLineBytes = 1000
)

// lines are the latest lines of the manager's log.
type lines struct {
	mu    sync.Mutex // guards the rest
	ring  [keptLines]logLine
	count int // of all there ever were
}

type logLine struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"` // message and attributes
}

// all returns the lines, oldest first.
func (l *lines) all() []logLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count < keptLines {
		return slices.Clone(l.ring[:l.count])
	}
	at := l.count % keptLines
	return slices.Concat(l.ring[at:], l.ring[:at])
}

// Write takes a line as slog.TextHandler writes it: its level first, no time.
func (l *lines) Write(line []byte) (int, error) {
	level, text, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	level = bytes.TrimPrefix(level, []byte("level="))
	if len(text) > keptLineBytes {
		text = append(bytes.ToValidUTF8(text[:keptLineBytes:keptLineBytes], nil), "…"...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.count%keptLines] = logLine{At: time.Now(), Level: string(level), Text: string(text)}
	l.count++
	return len(line), nil
}

// keep returns a logger that writes to log what log writes, and keeps what is at least an Info.
func (l *lines) keep(log *slog.Logger) *slog.Logger {
	text := slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(&lineKeeper{to: log.Handler(), kept: text})
}

// A lineKeeper hands each record to two handlers.
type lineKeeper struct{ to, kept slog.Handler }

func (k *lineKeeper) Enabled(ctx context.Context, level slog.Level) bool {
	return k.to.Enabled(ctx, level) || k.kept.Enabled(ctx, level)
}

func (k *lineKeeper) Handle(ctx context.Context, record slog.Record) error {
	if k.kept.Enabled(ctx, record.Level) {
		_ = k.kept.Handle(ctx, record.Clone()) // it writes to memory
	}
	if !k.to.Enabled(ctx, record.Level) {
		return nil
	}
	return k.to.Handle(ctx, record)
}

func (k *lineKeeper) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lineKeeper{to: k.to.WithAttrs(attrs), kept: k.kept.WithAttrs(attrs)}
}

func (k *lineKeeper) WithGroup(name string) slog.Handler {
	return &lineKeeper{to: k.to.WithGroup(name), kept: k.kept.WithGroup(name)}
}
