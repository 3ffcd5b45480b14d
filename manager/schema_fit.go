package manager

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// content is what a field holds, or a column: what is compared to tell whether one fits the other. What is
// not sure is unknown, and fits everything.
type content uint8

const (
	unknown content = iota
	wholeNumber
	fraction
	boolean
	character
	moment
	day
	octets
	another // PostgreSQL's json, uuid and others that take a literal of their own alone
)

var contentNames = map[content]string{
	wholeNumber: "whole numbers", fraction: "fractions", boolean: "booleans", character: "text", moment: "times", day: "days", octets: "bytes",
}

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	timeType    = reflect.TypeFor[time.Time]()
	bytesType   = reflect.TypeFor[[]byte]()
)

// contentOf returns what a field holds, and the bits of a number. A type that writes or reads itself, and what
// Bun writes as JSON or in another form of its own, is unknown.
func contentOf(f *schema.Field) (c content, bits int) {
	t := f.IndirectType
	for _, form := range []string{"array", "hstore", "msgpack", "json_use_number", "multirange", "composite"} {
		if f.Tag.HasOption(form) {
			return unknown, 0
		}
	}
	if t == timeType {
		return moment, 0
	}
	for _, own := range []reflect.Type{t, reflect.PointerTo(t)} {
		if own.Implements(scannerType) || own.Implements(valuerType) {
			return unknown, 0
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolean, 0
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return wholeNumber, t.Bits()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return wholeNumber, t.Bits() + 1
	case reflect.Uint, reflect.Uint64:
		return wholeNumber, 64 // Bun's own choice for it on PostgreSQL
	case reflect.Float32, reflect.Float64:
		return fraction, t.Bits()
	case reflect.String:
		return character, 0
	}
	if t == bytesType {
		return octets, 0
	}
	return unknown, 0
}

// stored is what a column holds.
type stored struct {
	content content
	bits    int // of numbers; 0 where there are enough
}

// postgresTypes are the names of format_type.
var postgresTypes = map[string]stored{
	"smallint": {wholeNumber, 16}, "integer": {wholeNumber, 32}, "bigint": {wholeNumber, 64},
	"real": {fraction, 32}, "double precision": {fraction, 64}, "numeric": {fraction, 0},
	"boolean": {boolean, 0}, "bytea": {octets, 0},
	"text": {character, 0}, "character varying": {character, 0}, "character": {character, 0},
	"timestamp with time zone": {moment, 0}, "timestamp without time zone": {moment, 0}, "date": {day, 0},
	"uuid": {another, 0}, "json": {another, 0}, "jsonb": {another, 0}, "inet": {another, 0}, "interval": {another, 0},
}

var mysqlTypes = map[string]stored{
	"tinyint": {wholeNumber, 8}, "smallint": {wholeNumber, 16}, "mediumint": {wholeNumber, 24}, "int": {wholeNumber, 32}, "bigint": {wholeNumber, 64},
	"float": {fraction, 32}, "double": {fraction, 64}, "decimal": {fraction, 0},
	"char": {character, 0}, "varchar": {character, 0}, "tinytext": {character, 0}, "text": {character, 0}, "mediumtext": {character, 0}, "longtext": {character, 0},
	"datetime": {moment, 0}, "timestamp": {moment, 0}, "date": {day, 0},
	"binary": {octets, 0}, "varbinary": {octets, 0}, "tinyblob": {octets, 0}, "blob": {octets, 0}, "mediumblob": {octets, 0}, "longblob": {octets, 0},
}

var (
	inBrackets = regexp.MustCompile(`\([^)]*\)`)
	decimals   = regexp.MustCompile(`^(numeric|decimal)\(\d+,([1-9]\d*)\)`)
)

// storedIn returns what a column of a type holds.
func storedIn(kind dialect.Name, typ string) stored {
	name := inBrackets.ReplaceAllString(typ, "")
	switch kind {
	case dialect.PG:
		return postgresTypes[name]
	case dialect.MySQL:
		name, attributes, _ := strings.Cut(name, " ")
		s := mysqlTypes[name]
		if s.content == wholeNumber && strings.Contains(attributes, "unsigned") {
			s.bits++
		}
		return s
	case dialect.SQLite:
		// SQLite's manual, Datatypes, 3.1: how a column treats values follows from its type's name.
		switch {
		case strings.Contains(typ, "int"):
			return stored{wholeNumber, 0}
		case strings.Contains(typ, "real"), strings.Contains(typ, "floa"), strings.Contains(typ, "doub"):
			return stored{fraction, 64}
		case strings.Contains(typ, "numeric"), strings.Contains(typ, "decimal"):
			return stored{fraction, 0}
		}
	}
	return stored{}
}

// fit is what there is to say of a field and its column.
type fit uint8

const (
	fits    fit = iota
	narrow      // some values do not fit, or come back changed: a warning
	refused     // no value fits, or none comes back as it was: a mistake
)

// fitOf compares a field with its column. What it calls refused was tried on the servers: the type of Go decides
// how Bun writes a value, and the column's type what the server makes of it.
func fitOf(kind dialect.Name, f *schema.Field, c *column) (fit, string) {
	holds, bits := contentOf(f)
	to := storedIn(kind, c.typ)
	if holds == unknown || to.content == unknown {
		return fits, ""
	}
	if kind == dialect.SQLite {
		return fitOfSQLite(holds, to)
	}
	strict := kind == dialect.PG
	number := holds == wholeNumber || holds == fraction
	switch to.content {
	case wholeNumber, fraction:
		switch {
		case holds == moment, holds == octets, strict && holds == boolean:
			return refused, "it holds numbers"
		case holds == character:
			return narrow, "it takes a text only if that is a number"
		case holds == fraction && to.content == wholeNumber:
			return refused, "Bun reads no whole number into a float"
		case holds == wholeNumber && to.content == fraction && (to.bits > 0 || decimals.MatchString(c.typ)):
			return refused, "Bun reads no number with decimals into a whole one"
		case holds == to.content && to.bits > 0 && bits > to.bits && !c.filled && f.UserSQLType == "":
			return narrow, "it is narrower than the field"
		}
	case boolean:
		if number || holds == moment || holds == octets {
			return refused, "it holds booleans"
		}
	case moment, day:
		switch {
		case strict && (number || holds == boolean || holds == octets):
			return refused, "it holds times"
		case holds == moment && to.content == day && f.UserSQLType == "":
			return narrow, "it keeps the day alone"
		}
	case character:
		switch {
		case strict && holds == octets:
			return refused, "bytes come back as text that shows them in hexadecimal digits"
		case holds == octets:
			return narrow, "it takes bytes only if they are text in its character set"
		case holds == moment:
			return narrow, "times in it are text, and compared as such"
		case strict && number:
			return narrow, "numbers in it are text: PostgreSQL refuses to compare them with a number"
		}
	case octets, another:
		if strict && (number || holds == boolean || holds == moment && to.content == another || holds == octets && to.content == another) {
			return refused, "it takes no " + contentNames[holds]
		}
	}
	return fits, ""
}

// fitOfSQLite is fitOf for SQLite, where any column takes any value, but those for numbers convert what looks
// like one.
func fitOfSQLite(holds content, to stored) (fit, string) {
	switch {
	case to.content != wholeNumber && to.content != fraction:
	case holds == character:
		return narrow, `a text that looks like a number comes back changed: "007" as "7"`
	case holds == wholeNumber && to.bits > 0:
		return refused, "Bun reads no number with decimals into a whole one"
	case holds == fraction && to.bits == 0:
		return narrow, "1.0 becomes 1 in it, and Bun reads no whole number into a float"
	}
	return fits, ""
}
