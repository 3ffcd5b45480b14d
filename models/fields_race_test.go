//go:build race

package models_test

// raced says that the race detector runs: it adds allocations, and pools lose what they hold.
const raced = true
