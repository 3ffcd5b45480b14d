package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHistory_checks gives the checker small histories and sees what it makes of them.
func TestHistory_checks(t *testing.T) {
	ack := func(h *history, s *observed) int64 {
		v := h.begin(0)
		h.end(s, 0, v, acknowledged)
		return v
	}
	for reason, row := range map[string]struct {
		play func(h *history, a, b *observed)
		want int // violations
	}{
		"a session reads its write": {func(h *history, a, _ *observed) {
			v := ack(h, a)
			h.begins(a, false).saw(0, v, "r")
		}, 0},
		"a session misses its write": {func(h *history, a, _ *observed) {
			v := ack(h, a)
			h.begins(a, false).saw(0, v-1, "r")
		}, 1},
		"another session need not see it": {func(h *history, a, b *observed) {
			v := ack(h, a)
			h.begins(b, false).saw(0, v-1, "r")
		}, 0},
		"but may not forget it": {func(h *history, a, b *observed) {
			v := ack(h, a)
			h.begins(b, false).saw(0, v, "r")
			h.begins(b, false).saw(0, v-1, "r")
		}, 1},
		"a read that began before the other ended may be older": {func(h *history, a, b *observed) {
			v := ack(h, a)
			early := h.begins(b, false)
			h.begins(b, false).saw(0, v, "r")
			early.saw(0, v-1, "r")
		}, 0},
		"a process reads all its writes": {func(h *history, a, b *observed) {
			b.process = true
			v := ack(h, a)
			h.begins(b, false).saw(0, v-1, "r")
		}, 1},
		"an unknown write may be there": {func(h *history, a, _ *observed) {
			v := h.begin(0)
			h.end(a, 0, v, unknown)
			h.begins(a, false).saw(0, v, "r")
		}, 0},
		"or not": {func(h *history, a, _ *observed) {
			v := h.begin(0)
			h.end(a, 0, v, unknown)
			h.begins(a, false).saw(0, v-1, "r")
		}, 0},
		"but once seen it stays": {func(h *history, a, _ *observed) {
			v := h.begin(0)
			h.end(a, 0, v, unknown)
			h.begins(a, false).saw(0, v, "r")
			h.begins(a, false).saw(0, v-1, "r")
		}, 1},
		"what was denied must not be there": {func(h *history, a, _ *observed) {
			v := h.begin(0)
			h.end(a, 0, v, denied)
			h.begins(a, true).saw(0, v, "r")
		}, 1},
		"what nobody wrote must not be there": {func(h *history, a, _ *observed) {
			h.begins(a, true).saw(0, 1, "r")
		}, 1},
		"a free read may be stale, and raises the bound": {func(h *history, a, _ *observed) {
			v := ack(h, a)
			h.begins(a, true).saw(0, v-1, "r")
			h.begins(a, true).saw(0, v, "r")
			h.begins(a, false).saw(0, v-1, "r")
		}, 1},
		"a bounded read shows old writes": {func(h *history, a, b *observed) {
			v := ack(h, a)
			time.Sleep(time.Second)
			h.begins(b, false).noOlderThan(time.Minute).saw(0, v-1, "r")
			h.begins(b, false).noOlderThan(time.Millisecond).saw(0, v-1, "r")
		}, 1},
		"a promotion loses writes": {func(h *history, a, _ *observed) {
			v := ack(h, a)
			h.newEpoch(map[int]state{0: {v - 1, 0}})
			h.begins(a, false).saw(0, v-1, "r")
		}, 0},
		"a promotion keeps what the new primary has": {func(h *history, a, _ *observed) {
			v := ack(h, a)
			h.newEpoch(map[int]state{0: {v, 1}})
			h.begins(a, false).saw(0, v-1, "r")
		}, 1},
		"a lost write may be seen before the session writes": {func(h *history, a, _ *observed) {
			v := ack(h, a)
			h.newEpoch(map[int]state{0: {v - 1, 0}})
			h.begins(a, false).saw(0, v, "r")
			h.begins(a, false).saw(0, v-1, "r")
		}, 0},
		"but not after it": {func(h *history, a, b *observed) {
			v := ack(h, a)
			h.newEpoch(map[int]state{0: {v - 1, 0}})
			h.end(b, 1, h.begin(1), acknowledged)
			h.begins(b, false).saw(0, v, "r")
		}, 1},
		"a write that was under way during a promotion is no lost one": {func(h *history, a, b *observed) {
			v := h.begin(0)
			h.newEpoch(nil)
			h.end(a, 0, v, acknowledged)
			h.end(b, 1, h.begin(1), acknowledged)
			h.begins(b, false).saw(0, v, "r")
		}, 0},
		"all is there in the end": {func(h *history, a, _ *observed) {
			h.final(map[int]state{0: {ack(h, a), 1}})
		}, 0},
		"something is lost in the end": {func(h *history, a, _ *observed) {
			h.final(map[int]state{0: {ack(h, a) - 1, 1}})
		}, 1},
		"something was written twice": {func(h *history, a, _ *observed) {
			h.final(map[int]state{0: {ack(h, a), 2}})
		}, 1},
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(2)
				row.play(h, newObserved("a"), newObserved("b"))
				assert.Equal(t, row.want, h.violated, h.violations)
			})
		})
	}
}

func TestHistory_countsLostWrites(t *testing.T) {
	h := newHistory(1)
	for range 3 {
		h.end(nil, 0, h.begin(0), acknowledged)
	}
	h.newEpoch(map[int]state{0: {1, 1}})
	require.Equal(t, 2, h.lost)
	require.EqualValues(t, int64(1<<32+1), h.begin(0), "each epoch has its own values")
}
