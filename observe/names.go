package observe

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The attributes that OpenTelemetry's conventions have no names for.
const (
	bindKey      = attribute.Key("bindery.bind")
	engineKey    = attribute.Key("bindery.engine")
	roleKey      = attribute.Key("bindery.role")
	reasonKey    = attribute.Key("bindery.reason")
	txNameKey    = attribute.Key("bindery.transaction.name")
	txTryKey     = attribute.Key("bindery.transaction.try")
	txOutcomeKey = attribute.Key("bindery.transaction.outcome")
	readOnlyKey  = attribute.Key("bindery.transaction.read_only")
)

// The outcomes of a transaction.
const (
	committed  = "committed"
	rolledBack = "rolled_back"
	unknown    = "unknown"
)

// systems are the conventions' names for the products that drivers name.
var systems = map[string]attribute.KeyValue{
	"PostgreSQL": semconv.DBSystemNamePostgreSQL,
	"MySQL":      semconv.DBSystemNameMySQL,
	"MariaDB":    semconv.DBSystemNameMariaDB,
	"SQLite":     semconv.DBSystemNameSQLite,
}

// systemOf returns db.system.name, which for a product that the conventions do not know is "other_sql".
func systemOf(product string) attribute.KeyValue {
	if kv, ok := systems[product]; ok {
		return kv
	}
	return semconv.DBSystemNameOtherSQL
}

// durations are the bounds that the conventions recommend for the duration of a database operation, in seconds.
var durations = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
