// Package peers opens the libraries that are compared, all over the same servers.
package peers

import (
	_ "github.com/bxcodec/dbresolver/v2"
	_ "github.com/uptrace/bun/extra/bunexp"
	_ "gorm.io/driver/mysql"
	_ "gorm.io/driver/postgres"
	_ "gorm.io/gorm"
	_ "gorm.io/plugin/dbresolver"
	_ "xorm.io/xorm"

	_ "github.com/bindery-go/bindery/binds/mysqlbind"
	_ "github.com/bindery-go/bindery/binds/pgbind"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	_ "github.com/bindery-go/bindery/integration"
	_ "github.com/bindery-go/bindery/manager"
)
