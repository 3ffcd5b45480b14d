package models_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type dayRow struct {
	bun.BaseModel `bun:"table:filter_days,alias:fd"`

	ID    int64     `bun:",pk"`
	At    time.Time `bun:",notnull"`
	Epoch int64     `bun:",notnull" models:"epoch"`
}

// zoneDays are days in whose neighbourhood a zone's clock does something odd.
var zoneDays = []struct{ zone, day, why string }{
	{"America/Santiago", "2024-09-08", "the clock goes from 0:00 to 1:00"},
	{"America/Santiago", "2024-04-07", "the clock goes from 24:00 to 23:00"},
	{"Asia/Beirut", "2024-03-31", "the clock goes from 0:00 to 1:00"},
	{"Asia/Beirut", "2024-10-27", "the clock goes from 24:00 to 23:00"},
	{"America/Havana", "2024-03-10", "the clock goes from 0:00 to 1:00"},
	{"America/Havana", "2024-11-03", "the clock goes from 1:00 to 0:00: the day's first hour is there twice"},
	{"Africa/Cairo", "2024-04-26", "the clock goes from 0:00 to 1:00"},
	{"Africa/Cairo", "2024-11-01", "the clock goes from 24:00 to 23:00"},
	{"Pacific/Apia", "2011-12-30", "the day does not exist"},
	{"Pacific/Kwajalein", "1993-08-21", "the day does not exist"},
	{"America/Asuncion", "2024-10-06", "the clock goes from 0:00 to 1:00"},
	{"America/Asuncion", "2024-03-24", "the clock goes from 24:00 to 23:00"},
	{"America/Sao_Paulo", "2018-11-04", "the clock goes from 0:00 to 1:00"},
	{"Atlantic/Azores", "2024-10-27", "the clock goes from 1:00 to 0:00"},
	{"Atlantic/Azores", "2024-03-31", "the clock goes from 0:00 to 1:00"},
	{"America/St_Johns", "2010-11-07", "the clock goes from 0:01 to 23:01 of the day before"},
	{"America/St_Johns", "2010-03-14", "the clock goes from 0:01 to 1:01"},
	{"Australia/Lord_Howe", "2024-10-06", "half an hour"},
	{"Asia/Kolkata", "2024-06-01", "a zone of half an hour"},
	{"Asia/Kathmandu", "2024-06-01", "a zone of quarters"},
	{"Europe/Berlin", "2024-03-31", "23 hours"},
	{"Europe/Berlin", "2024-10-27", "25 hours"},
	{"UTC", "2024-02-29", "nothing"},
}

// TestDaysBeginAtTheirFirstMoment asks for the days around each of them: a day is from its first moment to the next day's, and a
// day that is none has no rows.
func TestDaysBeginAtTheirFirstMoment(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*dayRow)(nil))
		for _, z := range zoneDays {
			t.Run(z.zone+" "+z.day, func(t *testing.T) { testDay(t, db, z.zone, z.day) })
		}
	})
}

func testDay(t *testing.T, db *bun.DB, zone, name string) {
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	day, err := time.Parse(time.DateOnly, name)
	require.NoError(t, err)
	before := time.Microsecond
	if db.Dialect().Name() == dialect.MySQL {
		before = time.Second // a DATETIME has no fraction: MariaDB cuts it off, MySQL rounds, here into the next day
	}
	var rows []dayRow
	for at := day.Add(-60 * time.Hour); at.Before(day.Add(60 * time.Hour)); at = at.Add(30 * time.Minute) {
		for _, at := range []time.Time{at.Add(-before), at, at.Add(time.Minute)} {
			rows = append(rows, dayRow{ID: int64(len(rows)), At: at, Epoch: at.UnixMilli()})
		}
	}
	_, err = db.NewDelete().Model((*dayRow)(nil)).Where("1 = 1").Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewInsert().Model(&rows).Exec(t.Context())
	require.NoError(t, err)
	from := func(date string) int64 { // the first row on the day or behind it
		return int64(slices.IndexFunc(rows, func(r dayRow) bool { return r.At.In(loc).Format(time.DateOnly) >= date }))
	}
	for offset := -1; offset <= 1; offset++ {
		date := day.AddDate(0, 0, offset).Format(time.DateOnly)
		first, next := from(date), from(day.AddDate(0, 0, offset+1).Format(time.DateOnly))
		all := int64(len(rows))
		for what, row := range map[string]struct {
			where models.Condition
			n     int64 // of rows
			min   int64 // the first, if there are any
		}{
			"eq":      {models.Eq("at", date), next - first, first},
			"in":      {models.In("at", date), next - first, first},
			"between": {models.Between("at", date, date), next - first, first},
			"lt":      {models.Lt("at", date), first, 0},
			"le":      {models.Le("at", date), next, 0},
			"gt":      {models.Gt("at", date), all - next, next},
			"ge":      {models.Ge("at", date), all - first, first},
			"ne":      {models.Ne("at", date), all - (next - first), 0},
			"epoch":   {models.Eq("epoch", date), next - first, first},
			"moment":  {models.Ge("at", date+"T00:00"), all - first, first},
		} {
			var got struct{ N, Least int64 }
			q := db.NewSelect().Model((*dayRow)(nil)).ColumnExpr("COUNT(*) AS n, COALESCE(MIN(id), -1) AS least").ApplyQueryBuilder(models.Where(models.InZone(loc, row.where)))
			require.NoError(t, q.Scan(t.Context(), &got))
			if row.n == 0 {
				row.min = -1
			}
			if what == "epoch" { // a microsecond before the day's end is that day's last millisecond
				require.Equal(t, row.n, got.N, "%s %s: %s", what, date, q)
				continue
			}
			require.Equal(t, fmt.Sprint(row.n, " from ", row.min), fmt.Sprint(got.N, " from ", got.Least), "%s %s: %s", what, date, q)
		}
	}
}
