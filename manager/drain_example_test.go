package manager_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
)

// A replica is taken out of service before its server is updated.
func ExampleDBManager_Drain() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "drain")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	uri := binds.NewURI("sqlite://" + filepath.ToSlash(dir) + "/accounts.db")
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{
		Key: "accounts", Writer: uri, Readers: []manager.ReaderConfig{{URI: uri}},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	if err := m.Drain("accounts/reader-1"); err != nil {
		log.Fatal(err)
	}
	reader := m.Check(ctx).Binds[0].Engines[1]
	fmt.Println(reader.Engine, reader.Status())
	if err := m.Undrain("accounts/reader-1"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Drain("accounts/writer"))
	// Output:
	// accounts/reader-1 drained
	// manager: drain: there is no reader "accounts/writer" (have accounts/reader-1)
}
