package peers

import "fmt"

// Handle returns what a library's user has in hand where db, which Open returned, has no method for a
// statement: a *bun.DB of Bun, bunexp and bindery, whose own routes; a *gorm.DB; xorm's *Engine or
// *EngineGroup; a *sql.DB or bxcodec's DB. It belongs to db.
func Handle(db DB) (any, error) {
	switch db := db.(type) {
	case *binderyDB:
		bind, err := db.m.Bind(Accounts{})
		if err != nil {
			return nil, err
		}
		return bind.DB(), nil
	case *bunDB:
		return db.db, nil
	case *gormDB:
		return db.db, nil
	case *xormDB:
		return db.x, nil
	case *sqlDB:
		return db.run, nil
	}
	return nil, fmt.Errorf("peers: no handle of a %T", db)
}
