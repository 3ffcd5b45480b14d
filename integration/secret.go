package integration

import (
	"crypto/rand"
)

// A secret is a text that no formatting verb and no encoder can reach, however deep the value that
// holds it: fmt skips String and Format on unexported fields, but cannot look into a function.
type secret struct{ reveal func() string }

func newSecret(text string) secret {
	return secret{reveal: func() string { return text }}
}

func randomSecret() secret { return newSecret(rand.Text()) }
