// Package manager opens, uses and closes every bind of a configuration.
//
// A [DBManager] reads a TOML file of database URIs and opens one Bun DB for each bind key, with a
// writer engine and reader engines behind it. Its query builders are Bun's own, on the bind where
// the model lives:
//
//	m, err := manager.Open(ctx, "config.toml")
//	…
//	err = m.NewSelect(&users).Where("active").Scan(ctx) // a reader of the users' bind
//	_, err = m.NewInsert(&user).Exec(ctx)               // its writer
//
// [DBManager.InTx] carries a transaction in the context: every query of its bind that is given the
// context joins.
//
// Drivers are imported for their effect, one package for each kind of database:
//
//	import _ "github.com/bindery-go/bindery/binds/pgbind" // postgres://
package manager
