//go:build race

package racing

// On reports whether the program was built with -race.
const On = true
