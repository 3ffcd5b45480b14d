package report_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestFormats(t *testing.T) {
	for name, row := range map[string]struct{ got, want string }{
		"part of a nanosecond":    {report.Nanoseconds(0.126), "0.13 ns"},
		"nanoseconds":             {report.Nanoseconds(61.54), "61.5 ns"},
		"many nanoseconds":        {report.Nanoseconds(789.4), "789 ns"},
		"a saving":                {report.Nanoseconds(-12.34), "-12.3 ns"},
		"a great saving":          {report.Nanoseconds(-1234), "-1.23 µs"},
		"microseconds":            {report.Duration(45678 * time.Nanosecond), "45.7 µs"},
		"milliseconds":            {report.Duration(1500 * time.Microsecond), "1.50 ms"},
		"seconds":                 {report.Duration(90 * time.Second), "90.0 s"},
		"no time":                 {report.Duration(0), "0.00 ns"},
		"bytes":                   {report.Bytes(96), "96 B"},
		"no bytes":                {report.Bytes(0), "0 B"},
		"bytes saved":             {report.Bytes(-160), "-160 B"},
		"kilobytes":               {report.Bytes(1250), "1.25 kB"},
		"megabytes":               {report.Bytes(34_000_000), "34.0 MB"},
		"share":                   {report.Percent(1, 3), "33.3 %"},
		"share of nothing":        {report.Percent(0, 0), "-"},
		"nothing of something":    {report.Percent(int64(0), 7), "0.0 %"},
		"ratio":                   {report.Ratio(3, 2), "1.50×"},
		"ratio to nothing":        {report.Ratio(3, 0), "-"},
		"rate":                    {report.Rate(300, 2*time.Second), "150/s"},
		"rate in less than a sec": {report.Rate(5, 100*time.Millisecond), "50/s"},
		"rate in no time":         {report.Rate(5, 0), "-"},
	} {
		assert.Equal(t, row.want, row.got, name)
	}
}
