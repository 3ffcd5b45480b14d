package integration

import (
	"context"
	"errors"
)

// A process is a child of this one.
type process struct {
	pid    int
	exited chan struct{} // closed once it is reaped
	err    error         // how it ended; valid once exited is closed
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// await waits until p has ended.
func (p *process) await(ctx context.Context) error {
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endTree kills p and every process that it started, and waits until they are gone.
func (p *process) endTree(ctx context.Context) error {
	// Halted first, p cannot fork while its children are listed.
	_ = halt(ctx, p.pid) // it may have ended
	tree, err := descendants(p.pid)
	_ = signalProcess(p.pid, sigKill)
	for _, pid := range tree {
		_ = signalProcess(pid, sigKill) // it may have ended by itself
	}
	return errors.Join(err, p.await(ctx), awaitGone(ctx, tree))
}

// awaitGone waits until none of pids runs.
func awaitGone(ctx context.Context, pids []int) error {
	return poll(ctx, func() (bool, error) {
		for _, pid := range pids {
			if alive(pid) {
				return false, nil
			}
		}
		return true, nil
	})
}
