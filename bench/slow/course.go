package slow

import (
	"context"
	"time"
)

// A state is how the replicas are.
type state string

const (
	settling state = "settling"   // all of them, but connections and what is known of them are new, or of before: not measured
	well     state = "well"       // all of them
	slowed   state = "slow"       // one adds a delay to each of its answers
	again    state = "well again" // after it was slow
	frozen   state = "frozen"     // nothing comes from one, nor does it refuse anything
)

func (s state) sick() bool { return s == slowed || s == frozen }

// A stage is a part of the course.
type stage struct {
	round    int
	state    state
	patient  int // the replica that is, was or will be sick in this round
	from, to time.Duration
}

// A ward makes replicas sick and cures them.
type ward interface {
	Delay(replica int, d time.Duration) // zero: none
	Freeze(replica int)
	Thaw(replica int)
}

// A plan says how long the states of one round last, and how many rounds there are.
type plan struct {
	rounds   int
	replicas int
	lengths  map[state]time.Duration
	delay    time.Duration
}

// run goes through the plan and returns the stages. Another replica is the patient in each round.
func (p plan) run(ctx context.Context, w ward, start time.Time, log func(round int)) ([]stage, error) {
	var stages []stage
	for round := range p.rounds {
		log(round)
		patient := round % p.replicas
		for _, step := range []struct {
			state      state
			begin, end func()
		}{
			{settling, func() {}, func() {}},
			{well, func() {}, func() {}},
			{slowed, func() { w.Delay(patient, p.delay) }, func() { w.Delay(patient, 0) }},
			{again, func() {}, func() {}},
			{frozen, func() { w.Freeze(patient) }, func() { w.Thaw(patient) }},
		} {
			st := stage{round: round, state: step.state, patient: patient, from: time.Since(start)}
			step.begin()
			err := sleep(ctx, p.lengths[step.state])
			step.end()
			if err != nil {
				return nil, err
			}
			st.to = time.Since(start)
			stages = append(stages, st)
		}
	}
	return stages, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// stageOf returns the stage to which a read belongs, nil for none: that in which it began, or the one
// that made a replica sick before it ended. Stages are in the order of time.
func stageOf(stages []stage, r read) *stage {
	var at *stage
	for i := range stages {
		s := &stages[i]
		switch {
		case r.began >= s.from && r.began < s.to:
			at = s
			if s.state.sick() {
				return at
			}
		case at != nil && s.state.sick() && r.ended() >= s.from:
			return s
		}
	}
	return at
}
