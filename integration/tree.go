package integration

import (
	"context"
	"errors"
)

// descendants returns the processes that pid started, those that these started, and so on.
func descendants(pid int) ([]int, error) {
	parentOf, err := parents()
	if err != nil {
		return nil, err
	}
	children := make(map[int][]int)
	for child, parent := range parentOf {
		children[parent] = append(children[parent], child)
	}
	tree := []int{}
	for next := children[pid]; len(next) > 0; next = next[1:] {
		tree = append(tree, next[0])
		next = append(next, children[next[0]]...)
	}
	return tree, nil
}

// stopTree halts pid, then whatever it started: in this order nothing can start unseen. It returns
// when all have halted: a signal is obeyed a little after it is sent, and by one thread after another.
func stopTree(ctx context.Context, pid int) error {
	if err := halt(ctx, pid); err != nil {
		return err
	}
	tree, err := descendants(pid)
	if err != nil {
		return errors.Join(err, signalProcess(pid, sigContinue))
	}
	for _, child := range tree {
		_ = signalProcess(child, sigStop) // it may have ended by itself
	}
	for _, child := range tree {
		if err := awaitHalted(ctx, child); err != nil {
			return err
		}
	}
	return nil
}

func halt(ctx context.Context, pid int) error {
	if err := signalProcess(pid, sigStop); err != nil {
		return err
	}
	return awaitHalted(ctx, pid)
}

func awaitHalted(ctx context.Context, pid int) error {
	ctx, cancel := within(ctx)
	defer cancel()
	return poll(ctx, func() (bool, error) { return halted(pid), nil })
}

// continueTree undoes stopTree.
func continueTree(pid int) error {
	tree, err := descendants(pid)
	for _, child := range tree {
		_ = signalProcess(child, sigContinue) // it may have ended by itself
	}
	return errors.Join(err, signalProcess(pid, sigContinue))
}
