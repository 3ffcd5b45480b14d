package integration

import "errors"

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

// stopTree halts pid, then whatever it started: in this order nothing can start unseen.
func stopTree(pid int) error {
	if err := signalProcess(pid, sigStop); err != nil {
		return err
	}
	tree, err := descendants(pid)
	if err != nil {
		return errors.Join(err, signalProcess(pid, sigContinue))
	}
	for _, child := range tree {
		_ = signalProcess(child, sigStop) // it may have ended by itself
	}
	return nil
}

// continueTree undoes stopTree.
func continueTree(pid int) error {
	tree, err := descendants(pid)
	for _, child := range tree {
		_ = signalProcess(child, sigContinue) // it may have ended by itself
	}
	return errors.Join(err, signalProcess(pid, sigContinue))
}
