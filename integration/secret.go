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

// The passwords of the accounts that are not the tests' own, for all clusters of this process: so that their data directories begin alike.
var adminSecret, replicaSecret = randomSecret(), randomSecret()
