package integration

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// scramIterations is how often the hash of a password is hashed: RFC 5802. A server's default of 4096 makes it slow to guess, and every connection of a
// test, too: under the race detector it takes 10 of 33 ms. The passwords here are random, and their servers live for seconds.
const scramIterations = 1

// scramSalt is one for all clusters of this process, so that their data directories begin alike.
var scramSalt = []byte(rand.Text())

// scramSecret returns what PostgreSQL keeps of a password, as CREATE ROLE takes it in its place: manual, pg_authid.rolpassword. Passwords of other than
// printable ASCII would have to be normalised, by RFC 4013: they are returned as they are, for the server to do.
func scramSecret(password string) (string, error) {
	if password == "" || strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r > '~' }) {
		return password, nil
	}
	salted, err := pbkdf2.Key(sha256.New, password, scramSalt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("integration: hash a password: %w", err)
	}
	sign := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, text(scramSalt), text(stored[:]), text(sign("Server Key"))), nil
}
