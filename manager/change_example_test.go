package manager_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
)

// A service reads its file again without a restart: [manager.Watch] does it by itself.
func ExampleDBManager_Reload() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "reload")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "config.toml")
	write := func(pool string) {
		text := "[binds.accounts]\nwriter = 'sqlite://" + filepath.ToSlash(dir) + "/accounts.db'\n" + pool
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	write("")
	m, err := manager.Open(ctx, file, manager.WithDrain(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	accounts, err := m.Bind(binds.Key("accounts")) // stays good
	if err != nil {
		log.Fatal(err)
	}
	write("pool = { max_open = 3 }\n")
	if err := m.Reload(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(accounts.ReaderEngines()[0].Pool().MaxOpen)

	write("pool = { max_open = 'three' }\n")
	fmt.Println(m.Reload(ctx) != nil, accounts.ReaderEngines()[0].Pool().MaxOpen)
	// Output:
	// 3
	// true 3
}

func ExampleDBManager_Add() {
	ctx := context.Background()
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "accounts", Writer: binds.NewURI("sqlite::memory:")}}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	if _, err := m.Add(ctx, manager.BindConfig{Key: "reports", Writer: binds.NewURI("sqlite::memory:")}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Binds())
	if err := m.Remove(ctx, binds.Key("reports")); err != nil { // once what has begun there has ended
		log.Fatal(err)
	}
	_, err = m.Bind(binds.Key("reports"))
	fmt.Println(err)
	// Output:
	// [accounts reports]
	// router: the bind "reports" was removed: what began before that goes on, nothing new begins
}
