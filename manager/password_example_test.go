package manager_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/bindery-go/bindery/manager"
)

// A token of a cloud's or of a vault's is asked for each new connection; the URIs of config.toml have a user and no password.
func ExampleWithPassword() {
	ctx := context.Background()
	tokens := func(ctx context.Context, engine string) (string, error) {
		text, err := os.ReadFile("/run/secrets/database") // or a client of yours, which keeps a token until it ends
		if err != nil {
			return "", fmt.Errorf("token for %s: %w", engine, err)
		}
		return string(text), nil
	}
	m, err := manager.Open(ctx, "config.toml", manager.WithPassword(tokens))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
}
