package mysqlbind

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect/feature"
)

func TestFeaturesOf(t *testing.T) {
	const (
		mysql8  = feature.CTE | feature.WithValues
		mariaDB = feature.WithValues | feature.CreateIndexIfNotExists | feature.AlterColumnExists | feature.DeleteReturning
	)
	base := NewDialect().Dialect.Features()
	for reason, row := range map[string]struct {
		version string
		want    feature.Feature
	}{
		"MySQL 8.4":                 {"8.4.3", base | mysql8 | feature.DeleteTableAlias},
		"MySQL 9":                   {"9.1.0-commercial", base | mysql8 | feature.DeleteTableAlias},
		"MySQL 8.0.16":              {"8.0.16", base | mysql8 | feature.DeleteTableAlias},
		"before aliases in DELETE":  {"8.0.15-log", base | mysql8},
		"Percona":                   {"8.0.36-28", base | mysql8 | feature.DeleteTableAlias},
		"MySQL 5.7":                 {"5.7.44", base},
		"MariaDB":                   {"10.11.19-MariaDB-0+deb12u1-log", base.Remove(feature.ValuesRow) | mariaDB | feature.InsertReturning},
		"MariaDB of two digits":     {"11.4.2-MariaDB", base.Remove(feature.ValuesRow) | mariaDB | feature.InsertReturning},
		"MariaDB behind its prefix": {"5.5.5-10.6.18-MariaDB", base.Remove(feature.ValuesRow) | mariaDB | feature.InsertReturning},
		"before INSERT RETURNING":   {"10.4.34-MariaDB", base.Remove(feature.ValuesRow) | mariaDB},
		"nothing that makes sense":  {"unknown", base},
		"two numbers":               {"8.4", base | mysql8 | feature.DeleteTableAlias},
	} {
		t.Run(reason, func(t *testing.T) {
			assert.Equal(t, row.want, featuresOf(base, parseVersion(row.version)))
		})
	}
}
