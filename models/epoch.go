package models

import "time"

// EpochTimestamps is a mixin with the times of a row's insert and last update as Unix milliseconds
// in create_time and update_time, and the same moments as dates in create_date and update_date. The
// pairs are kept equal: what sets one sets both. CREATE TABLE through Bun makes an index on each of
// the four columns, named <table>_<column>_idx.
//
// It behaves as [Timestamps] does, with these differences. Where the caller has set one of a pair
// before an insert, the other follows it; where both are set, the milliseconds count. An update that
// assigns one of update_time and update_date must assign both: it is a [*HalfAssignedError] otherwise.
type EpochTimestamps struct {
	epochHooks

	CreateTime int64     `bun:"create_time,nullzero,notnull,skipupdate" json:"create_time"` // Unix milliseconds
	UpdateTime int64     `bun:"update_time,nullzero,notnull" json:"update_time"`            // Unix milliseconds
	CreateDate time.Time `bun:"create_date,nullzero,notnull,skipupdate" json:"create_date"`
	UpdateDate time.Time `bun:"update_date,nullzero,notnull" json:"update_date"`
}

var _ mixin = (*EpochTimestamps)(nil)

var epochColumns = []column{
	{name: "create_time", field: "CreateTime", write: once, indexed: true},
	{name: "update_time", field: "UpdateTime", write: always, indexed: true, pair: "update_date"},
	{name: "create_date", field: "CreateDate", write: once, indexed: true, micros: true},
	{name: "update_date", field: "UpdateDate", write: always, indexed: true, micros: true, pair: "update_time"},
}

func (*EpochTimestamps) mixedIn() []column { return epochColumns }

func (t *EpochTimestamps) fill(now time.Time) {
	t.CreateTime, t.CreateDate = pair(t.CreateTime, t.CreateDate, now)
	t.UpdateTime, t.UpdateDate = pair(t.UpdateTime, t.UpdateDate, now)
}

func (t *EpochTimestamps) filled() bool { return t.CreateTime != 0 && t.UpdateTime != 0 }

func (t *EpochTimestamps) touch(now time.Time) {
	t.UpdateTime, t.UpdateDate = pair(0, time.Time{}, now)
}

func (t *EpochTimestamps) value(name string) any {
	if name == "update_time" {
		return t.UpdateTime
	}
	return t.UpdateDate
}

// pair returns one moment in both forms: millis, if that is set, else date, else now.
func pair(millis int64, date, now time.Time) (int64, time.Time) {
	switch {
	case millis != 0:
	case !date.IsZero():
		millis = date.UnixMilli()
	default:
		millis = now.UnixMilli()
	}
	return millis, time.UnixMilli(millis).UTC()
}
