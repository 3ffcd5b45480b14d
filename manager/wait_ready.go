package manager

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bindery-go/bindery/router"
)

// WaitReady has [Open] and [New] wait up to d for writers that do not answer, for a program that may start before its databases. Each
// bind's writer is asked again after 100 ms, and after twice as long each time, up to 2 s; the log says once that it is waited for. When d is over, or the context of Open ends,
// the error is the last one. Zero or less asks once, as without the option; mistakes in the configuration are told at once. Lazy binds are not waited for.
func WaitReady(d time.Duration) Option { return func(o *options) { o.ready = d } }

const (
	firstReadyWait = 100 * time.Millisecond
	maxReadyWait   = 2 * time.Second
)

// awaitWriter returns when the writer answers, after d, or when ctx ends.
func (b *Bind) awaitWriter(ctx context.Context, log *slog.Logger, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wait := firstReadyWait; ; wait = min(2*wait, maxReadyWait) {
		err := b.writer.Ping(ctx)
		if err == nil || errors.Is(err, router.ErrWriterIsReplica) || ctx.Err() != nil {
			return
		}
		if wait == firstReadyWait {
			log.Info("writer does not answer yet: it is waited for", "engine", b.writer.Name(), "up_to", d.String(), "error", err)
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}
