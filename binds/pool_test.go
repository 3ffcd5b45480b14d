package binds_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
)

func TestPoolWithDefaults(t *testing.T) {
	const life, idle, wait = 30 * time.Minute, 5 * time.Minute, time.Minute
	for reason, row := range map[string]struct{ in, want binds.Pool }{
		"nothing said":                 {binds.Pool{}, binds.Pool{30, 30, life, idle, wait}},
		"idle follows open":            {binds.Pool{MaxOpen: 4}, binds.Pool{4, 4, life, idle, wait}},
		"fewer idle":                   {binds.Pool{MaxOpen: 4, MaxIdle: 2}, binds.Pool{4, 2, life, idle, wait}},
		"more idle than open is open":  {binds.Pool{MaxOpen: 4, MaxIdle: 9}, binds.Pool{4, 4, life, idle, wait}},
		"more idle than the default":   {binds.Pool{MaxIdle: 90}, binds.Pool{30, 30, life, idle, wait}},
		"none idle":                    {binds.Pool{MaxIdle: -1}, binds.Pool{30, -1, life, idle, wait}},
		"no bound still keeps some":    {binds.Pool{MaxOpen: -1}, binds.Pool{-1, 30, life, idle, wait}},
		"no bound and many idle":       {binds.Pool{MaxOpen: -1, MaxIdle: 90}, binds.Pool{-1, 90, life, idle, wait}},
		"times of its own":             {binds.Pool{MaxLifetime: time.Hour, MaxIdleTime: time.Second}, binds.Pool{30, 30, time.Hour, time.Second, wait}},
		"no limits in time":            {binds.Pool{MaxLifetime: -1, MaxIdleTime: -1}, binds.Pool{30, 30, -1, -1, wait}},
		"filling in twice changes nil": {binds.Pool{MaxOpen: -1}.WithDefaults(), binds.Pool{-1, 30, life, idle, wait}},
	} {
		assert.Equal(t, row.want, row.in.WithDefaults(), reason)
	}
}

func TestPoolOver(t *testing.T) {
	const wait = 5 * time.Second
	base := binds.Pool{MaxOpen: 10, MaxIdle: 5, MaxLifetime: time.Hour, MaxIdleTime: time.Minute, MaxWait: wait}
	for reason, row := range map[string]struct{ in, base, want binds.Pool }{
		"nothing said takes all":  {binds.Pool{}, base, base},
		"all said takes nothing":  {binds.Pool{1, 2, 3, 4, wait}, base, binds.Pool{1, 2, 3, 4, wait}},
		"one said takes the rest": {binds.Pool{MaxOpen: 7}, base, binds.Pool{7, 5, time.Hour, time.Minute, wait}},
		"off is something said":   {binds.Pool{-1, -1, -1, -1, -1}, base, binds.Pool{-1, -1, -1, -1, -1}},
		"an empty base":           {binds.Pool{MaxIdle: 3}, binds.Pool{}, binds.Pool{MaxIdle: 3}},
	} {
		assert.Equal(t, row.want, row.in.Over(row.base), reason)
	}
}
