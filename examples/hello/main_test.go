package main

import "os"

// The README's program runs as it stands, on SQLite in place of the servers.
func Example() {
	dir, err := os.MkdirTemp("", "bindery-hello-*")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chdir(dir); err != nil {
		panic(err)
	}
	if err := os.WriteFile("config.toml", []byte("[binds]\naccounts = 'sqlite:accounts.db'\n"), 0o600); err != nil {
		panic(err)
	}
	main()
	// Output: 1 Alice
}
