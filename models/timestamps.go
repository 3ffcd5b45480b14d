package models

import "time"

// Timestamps is a mixin with the times of a row's insert and last update:
//
//	type User struct {
//		bun.BaseModel `bun:"table:users"`
//		models.Timestamps
//
//		ID int64 `bun:",pk,autoincrement"`
//	}
//
// An insert fills what is zero and keeps what the caller has set. Every update refreshes updated_at,
// in the statement and in the model: of a struct, a slice or no more than a type, with Column, Set
// or Bulk, and in an upsert, whatever else it names. An update that assigns updated_at itself, by
// Set or Value, is left alone. created_at is written by inserts only: an update takes Set to change
// it, and an upsert keeps that of the row that was there.
//
// Times are in UTC and whole microseconds, in memory as in the database, where the columns are
// TIMESTAMPTZ, DATETIME(6) or TIMESTAMP, NOT NULL and without a default. They come from [WithClock].
// A failed statement leaves the refreshed time in the model. The package documentation says which
// statements a mixin does not see.
type Timestamps struct {
	timestampsHooks

	CreatedAt time.Time `bun:"created_at,nullzero,notnull,skipupdate" json:"created_at"`
	UpdatedAt time.Time `bun:"updated_at,nullzero,notnull" json:"updated_at"`
}

var _ mixin = (*Timestamps)(nil)

var timestampColumns = []column{
	{name: "created_at", field: "CreatedAt", write: once, micros: true},
	{name: "updated_at", field: "UpdatedAt", write: always, micros: true},
}

func (*Timestamps) mixedIn() []column { return timestampColumns }

func (t *Timestamps) fill(now time.Time) {
	t.CreatedAt = orNow(t.CreatedAt, now)
	t.UpdatedAt = orNow(t.UpdatedAt, now)
}

func (t *Timestamps) filled() bool { return !t.CreatedAt.IsZero() && !t.UpdatedAt.IsZero() }

func (t *Timestamps) touch(now time.Time) { t.UpdatedAt = now }

func (t *Timestamps) value(string) any { return t.UpdatedAt }

func orNow(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return stored(t)
}
