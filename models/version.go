package models

import "time"

// Version is a mixin with a row's version, for optimistic locking by [UpdateVersioned] and
// [DeleteVersioned]. An insert sets version 1, unless the caller has set another. Every other update
// raises it too, so that nobody who holds the old version overwrites that update unawares; such an
// update does not check it, and leaves the model's own RowVersion as it was: read the row again
// before the next UpdateVersioned.
type Version struct {
	rung24

	// RowVersion is the version that was read; 0 is a row that was never inserted.
	RowVersion int64 `bun:"version,notnull,skipupdate" json:"version"`
}

var _ mixin = (*Version)(nil)

const versionColumn = "version"

var versionColumns = []column{{name: versionColumn, field: "RowVersion", write: raised}}

func (*Version) mixedIn() []column { return versionColumns }

func (v *Version) fill(time.Time) {
	if v.RowVersion == 0 {
		v.RowVersion = 1
	}
}

func (v *Version) filled() bool { return v.RowVersion != 0 }

func (*Version) touch(time.Time) {}

func (v *Version) value(string) any { return v.RowVersion }
