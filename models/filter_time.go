package models

import (
	"reflect"
	"strconv"
	"time"

	"github.com/uptrace/bun/dialect"
)

// InZone makes date strings without an offset, in all the conditions, mean the time in loc. The innermost
// InZone counts. Without one they are in UTC. It panics if loc is nil.
//
// A day begins at its first moment, at 1:00 where the clock goes from 0:00 to 1:00, and a day that was left out holds nothing.
// A time that the clock shows twice is the first of them, and one that it does not show is when it went past it.
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
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return moment{at: firstMoment(day, loc), next: firstMoment(day.AddDate(0, 0, 1), loc)}, nil
	}
	for _, layout := range zoned {
		if t, err := time.Parse(layout, text); err == nil {
			return moment{at: t}, nil
		}
	}
	for _, layout := range zoneless {
		if t, err := time.Parse(layout, text); err == nil {
			return moment{at: firstMoment(t, loc)}, nil
		}
	}
	return moment{}, errNoDate
}

// firstMoment returns the first moment at which loc's clock shows clock, given as if it were UTC's, or has gone beyond it.
// [time.Date] does not say which it takes where the clock was changed, and may take one on the day before.
func firstMoment(clock time.Time, loc *time.Location) time.Time {
	const farthest = 48 * time.Hour // more than any zone is from UTC
	for t := clock.Add(-farthest).In(loc); ; {
		from, to := t.ZoneBounds()
		_, offset := t.Zone()
		shown := clock.Add(-time.Duration(offset) * time.Second).In(loc)
		if !from.IsZero() && shown.Before(from) {
			shown = from // the clock went on past it
		}
		if to.IsZero() || shown.Before(to) {
			return shown
		}
		t = to
	}
}
