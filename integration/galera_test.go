package integration_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

var galeraSystem = system{open: openMySQL}

func TestGalera_everyMemberWrites(t *testing.T) {
	teston.Only(t, teston.Galera)
	c := integration.StartGalera(t)
	ctx, sys := t.Context(), galeraSystem
	all := []*integration.Server{c.Primary, c.Replicas[0], c.Replicas[1]}
	name := create(t, sys, c.Primary)
	for i, s := range all {
		require.NoError(t, c.WaitReplayed(ctx))
		insert(t, sys, s, name, i)
	}
	require.NoError(t, c.WaitReplayed(ctx))
	for _, s := range all {
		assert.Equal(t, "0,1,2", ids(t, sys, s, name), s.Name())
	}

	paused := c.Replicas[0]
	require.NoError(t, paused.PauseReplay(ctx))
	insert(t, sys, c.Primary, name, 3)
	assert.Equal(t, "0,1,2", ids(t, sys, paused, name))
	require.NoError(t, paused.ResumeReplay(ctx))
	require.NoError(t, c.WaitReplayed(ctx))
	assert.Equal(t, "0,1,2,3", ids(t, sys, paused, name))

	assert.ErrorIs(t, paused.Promote(ctx), integration.ErrNotPossible)
	assert.ErrorIs(t, paused.Follow(ctx, c.Primary), integration.ErrNotPossible)
	assert.ErrorIs(t, paused.DelayReplay(ctx, time.Second), integration.ErrNotPossible)
}

func TestGalera_membersComeBack(t *testing.T) {
	teston.Only(t, teston.Galera)
	c := integration.StartGalera(t)
	ctx, sys := t.Context(), galeraSystem
	one, two, three := c.Primary, c.Replicas[0], c.Replicas[1]
	name := create(t, sys, one)
	for i, back := range map[int]func() error{
		1: func() error { return two.Start(ctx) },
		2: func() error { return two.Rebuild(ctx, one) },
	} {
		require.NoError(t, two.Kill(ctx))
		insert(t, sys, one, name, i)
		require.NoError(t, back())
		require.NoError(t, c.WaitReplayed(ctx))
		assert.Contains(t, ids(t, sys, two, name), string(rune('0'+i)))
	}
	require.NoError(t, three.Stop(ctx))
	insert(t, sys, two, name, 3)
	require.NoError(t, three.Start(ctx))
	require.NoError(t, c.WaitReplayed(ctx))
	assert.Equal(t, "1,2,3", ids(t, sys, three, name))

	for _, s := range []*integration.Server{two, three, one} {
		require.NoError(t, s.Kill(ctx))
	}
	for _, s := range []*integration.Server{one, two, three} {
		require.NoError(t, s.Start(ctx), "the last one founds the cluster again")
		assert.Equal(t, "1,2,3", ids(t, sys, s, name), s.Name())
	}
}

func TestGalera_cutOffAndHealed(t *testing.T) {
	teston.Only(t, teston.Galera)
	c := integration.StartGalera(t)
	ctx, sys := t.Context(), galeraSystem
	one, two := c.Primary, c.Replicas[0]
	name := create(t, sys, one)
	require.NoError(t, c.WaitReplayed(ctx))
	require.NoError(t, two.CutOff(ctx))
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := sys.open(t, two.URI()).ExecContext(ctx, "SELECT id FROM "+name)
		return err != nil && assert.ErrorContains(t, err, "1047") // unknown command: it is not ready
	}, 20*time.Second, 200*time.Millisecond)
	insert(t, sys, one, name, 1)
	require.NoError(t, two.Heal(ctx))
	require.NoError(t, c.WaitReplayed(ctx))
	assert.Equal(t, "1", ids(t, sys, two, name))
}

func TestGalera_wantsNoSyncReplication(t *testing.T) {
	teston.Only(t, teston.Galera)
	_, err := integration.NewGalera(t.Context(), integration.WithSyncReplication(1))
	assert.ErrorContains(t, err, "the members of a group always agree before a commit")
}

// Members that all start at once find one another: none founds a cluster of its own.
func TestGalera_startsAllMembersAtOnce(t *testing.T) {
	teston.Only(t, teston.Galera)
	c := integration.StartGalera(t)
	all := append([]*integration.Server{c.Primary}, c.Replicas...)
	for _, s := range all {
		require.NoError(t, s.Stop(t.Context()))
	}
	var starting sync.WaitGroup
	for _, s := range all {
		starting.Go(func() { assert.NoError(t, s.Start(t.Context())) })
	}
	starting.Wait()
	for _, s := range all {
		size, err := s.QueryString(t.Context(),
			"SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'wsrep_cluster_size'")
		require.NoError(t, err)
		assert.Equal(t, "3", size, s.Name())
	}
}
