package binds_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
)

func TestPoolWithDefaults(t *testing.T) {
	const life, idle = 30 * time.Minute, 5 * time.Minute
	for reason, row := range map[string]struct{ in, want binds.Pool }{
		"nothing said":                 {binds.Pool{}, binds.Pool{30, 30, life, idle}},
		"idle follows open":            {binds.Pool{MaxOpen: 4}, binds.Pool{4, 4, life, idle}},
		"fewer idle":                   {binds.Pool{MaxOpen: 4, MaxIdle: 2}, binds.Pool{4, 2, life, idle}},
		"more idle than open is open":  {binds.Pool{MaxOpen: 4, MaxIdle: 9}, binds.Pool{4, 4, life, idle}},
		"more idle than the default":   {binds.Pool{MaxIdle: 90}, binds.Pool{30, 30, life, idle}},
		"none idle":                    {binds.Pool{MaxIdle: -1}, binds.Pool{30, -1, life, idle}},
		"no bound still keeps some":    {binds.Pool{MaxOpen: -1}, binds.Pool{-1, 30, life, idle}},
		"no bound and many idle":       {binds.Pool{MaxOpen: -1, MaxIdle: 90}, binds.Pool{-1, 90, life, idle}},
		"times of its own":             {binds.Pool{MaxLifetime: time.Hour, MaxIdleTime: time.Second}, binds.Pool{30, 30, time.Hour, time.Second}},
		"no limits in time":            {binds.Pool{MaxLifetime: -1, MaxIdleTime: -1}, binds.Pool{30, 30, -1, -1}},
		"filling in twice changes nil": {binds.Pool{MaxOpen: -1}.WithDefaults(), binds.Pool{-1, 30, life, idle}},
	} {
		assert.Equal(t, row.want, row.in.WithDefaults(), reason)
	}
}

func TestPoolOver(t *testing.T) {
	base := binds.Pool{MaxOpen: 10, MaxIdle: 5, MaxLifetime: time.Hour, MaxIdleTime: time.Minute}
	for reason, row := range map[string]struct{ in, base, want binds.Pool }{
		"nothing said takes all":  {binds.Pool{}, base, base},
		"all said takes nothing":  {binds.Pool{1, 2, 3, 4}, base, binds.Pool{1, 2, 3, 4}},
		"one said takes the rest": {binds.Pool{MaxOpen: 7}, base, binds.Pool{7, 5, time.Hour, time.Minute}},
		"off is something said":   {binds.Pool{-1, -1, -1, -1}, base, binds.Pool{-1, -1, -1, -1}},
		"an empty base":           {binds.Pool{MaxIdle: 3}, binds.Pool{}, binds.Pool{MaxIdle: 3}},
	} {
		assert.Equal(t, row.want, row.in.Over(row.base), reason)
	}
}
