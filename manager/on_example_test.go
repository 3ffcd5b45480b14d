package manager_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
)

// parcel has no marker: it lives in whatever bind it is asked of.
type parcel struct {
	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

func ExampleDBManager_On() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "shards")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	shards := []binds.Bound{binds.Key("east"), binds.Key("west")}
	var cfg manager.Config
	for _, s := range shards {
		file := filepath.ToSlash(filepath.Join(dir, string(s.BindKey())+".db"))
		cfg.Binds = append(cfg.Binds, manager.BindConfig{Key: s.BindKey(), Writer: binds.NewURI("sqlite://" + file)})
	}
	m, err := manager.New(ctx, &cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = m.Close() }()

	if err := m.Group(shards).CreateTables(ctx, (*parcel)(nil)); err != nil {
		fmt.Println(err)
	}
	if _, err := m.On(binds.Key("west")).NewInsert(&parcel{Name: "books"}).Exec(ctx); err != nil {
		fmt.Println(err)
	}
	for _, s := range shards {
		n, err := m.On(s).NewSelect((*parcel)(nil)).Count(ctx)
		fmt.Println(s.BindKey(), n, err)
	}
	// Output:
	// east 0 <nil>
	// west 1 <nil>
}

func ExampleWithTenants() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "tenants")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := func(key binds.Key) binds.URI {
		return binds.NewURI("sqlite://" + filepath.ToSlash(filepath.Join(dir, string(key)+".db")))
	}
	where := func(_ context.Context, key binds.Key) (manager.BindConfig, error) {
		if key == "nobody" {
			return manager.BindConfig{}, fmt.Errorf("no such customer")
		}
		return manager.BindConfig{Writer: file(key)}, nil
	}
	cfg := &manager.Config{Binds: []manager.BindConfig{{Key: "main", Writer: file("main")}}}
	m, err := manager.New(ctx, cfg, manager.WithTenants(where, manager.Max(2)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = m.Close() }()

	for _, key := range []binds.Key{"anna", "bert", "carla"} {
		on := m.On(key)
		if err := on.CreateTables(ctx, (*parcel)(nil)); err != nil {
			fmt.Println(err)
		}
		if _, err := on.NewInsert(&parcel{Name: "for " + string(key)}).Exec(ctx); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("open:", m.Tenants())
	var p parcel
	fmt.Println(m.On(binds.Key("anna")).NewSelect(&p).Scan(ctx), p.Name) // it is opened again
	fmt.Println(m.On(binds.Key("nobody")).NewSelect(&p).Scan(ctx))
	// Output:
	// open: [bert carla]
	// <nil> for anna
	// manager: tenant "nobody": no such customer
}

func ExampleDBManager_Group() {
	ctx := context.Background()
	cfg := &manager.Config{Binds: []manager.BindConfig{
		{Key: "east", Writer: binds.NewURI("sqlite::memory:")}, {Key: "west", Writer: binds.NewURI("sqlite::memory:")},
	}}
	m, err := manager.New(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = m.Close() }()

	shards := m.Group([]binds.Bound{binds.Key("east"), binds.Key("west"), binds.Key("nowhere")}, manager.AtOnce(1),
		manager.Progress(func(done, all int, key binds.Key, err error) {
			fmt.Printf("%d of %d: %s: %v\n", done, all, key, err != nil)
		}))
	err = shards.InTx(ctx, func(ctx context.Context, on manager.On) error {
		_, err := on.NewRaw("CREATE TABLE parcels (id INTEGER PRIMARY KEY)").Exec(ctx)
		return err
	})
	fmt.Println(err)
	// Output:
	// 1 of 3: east: false
	// 2 of 3: west: false
	// 3 of 3: nowhere: true
	// manager: on bind "nowhere": binds: unknown bind "nowhere" (have "east", "west")
}
