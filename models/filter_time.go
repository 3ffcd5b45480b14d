package models

import (
	"reflect"
	"strconv"
	"time"

	"github.com/uptrace/bun/dialect"
)

// InZone makes date strings without an offset, in all the conditions, mean the time in loc. The innermost
// InZone counts. Without one they are in UTC. It panics if loc is nil.
func InZone(loc *time.Location, conditions ...Condition) Condition {
	if loc == nil {
		panic("models: InZone(nil)")
	}
	return Condition{inZone{loc: loc, of: And(conditions...)}}
}

type inZone struct {
	loc *time.Location
	of  Condition
}

func (z inZone) render(r *renderer) (clause, error) {
	inner := *r
	inner.zone = z.loc
	return z.of.render(&inner)
}

// A moment is a date string's: a time or, with a day, that day's beginning.
type moment struct {
	at   time.Time
	next time.Time // the next day's beginning; zero if it is no day
}

// temporal writes a time, a number of the column's unit or a date string.
func (r *renderer) temporal(c *filterColumn, rv reflect.Value) (o operand, err error) {
	var m moment
	t, isTime := rv.Interface().(time.Time)
	switch {
	case isTime:
		m.at = t
	case rv.Kind() == reflect.String:
		if c.kind == kindEpoch {
			if n, err := strconv.ParseInt(rv.String(), 10, 64); err == nil {
				return operand{sql: strconv.FormatInt(n, 10)}, nil
			}
		}
		if m, err = parseMoment(rv.String(), r.zoneOf(c)); err != nil {
			return operand{}, err
		}
	case c.kind == kindEpoch && (rv.CanInt() || rv.CanUint() || rv.CanFloat()):
		o.sql, err = integer(rv)
		return o, err
	default:
		return operand{}, errKind(rv.Interface(), c.kind)
	}
	if !m.next.IsZero() {
		if o.sql, err = r.timeText(c, m.at); err == nil {
			o.end, err = r.timeText(c, m.next)
		}
		return o, err
	}
	return r.instant(c, m.at)
}

// instant writes a time that is no whole day.
func (r *renderer) instant(c *filterColumn, t time.Time) (o operand, err error) {
	if o.sql, err = r.timeText(c, t); err != nil || c.kind == kindEpoch {
		return o, err
	}
	switch {
	case r.dialect == dialect.SQLite:
		o.span = r.sqliteTime(t)
	case r.dialect == dialect.MySQL && t.IsZero(): // what its date of zeros reads as
		o.span = &span{high: o.sql}
	}
	return o, nil
}

// zoneOf returns where the column's days are. A DATE has no zone, and Bun writes it in UTC.
func (r *renderer) zoneOf(c *filterColumn) *time.Location {
	if c.kind == kindDate {
		return time.UTC
	}
	return r.zone
}

func (r *renderer) timeText(c *filterColumn, t time.Time) (string, error) {
	t = t.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return "", errYear
	}
	switch {
	case c.kind == kindEpoch:
	case r.dialect == dialect.SQLite: // a day's end: all texts of that moment are behind its least
		return string(r.gen.Append(nil, sqliteLeast(t))), nil
	default:
		return string(r.gen.Append(nil, t)), nil
	}
	if c.unit == time.Nanosecond {
		const first, last = 1678, 2261 // the years that fit
		if t.Year() < first || t.Year() > last {
			return "", errYear
		}
		return strconv.FormatInt(t.UnixNano(), 10), nil
	}
	perSecond := int64(time.Second / c.unit)
	n := t.Unix()*perSecond + int64(t.Nanosecond())/int64(c.unit)
	return strconv.FormatInt(n, 10), nil
}

// zoned and zoneless are the layouts of moments. time.Parse reads fractions of a second after each.
var (
	zoned    = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00"}
	zoneless = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"}
)

func parseMoment(text string, loc *time.Location) (moment, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, loc); err == nil {
		year, month, d := day.Date()
		return moment{at: day, next: time.Date(year, month, d+1, 0, 0, 0, 0, loc)}, nil
	}
	for _, layout := range zoned {
		if t, err := time.Parse(layout, text); err == nil {
			return moment{at: t}, nil
		}
	}
	for _, layout := range zoneless {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return moment{at: t}, nil
		}
	}
	return moment{}, errNoDate
}
