package integration_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

var groupSystem = system{open: openMySQL, readOnly: "1290"}

// groupPrimary returns the member that may be written to, once there is one.
func groupPrimary(t *testing.T, members ...*integration.Server) *integration.Server {
	t.Helper()
	var primary *integration.Server
	require.Eventually(t, func() bool {
		primary = nil
		for _, s := range members {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			writable, err := s.QueryString(ctx, "SELECT @@super_read_only = 0")
			cancel()
			if err == nil && writable == "1" {
				primary = s
			}
		}
		return primary != nil
	}, time.Minute, 50*time.Millisecond)
	return primary
}

func TestGroup_playsAFailover(t *testing.T) {
	teston.Only(t, teston.Group)
	// At once out of the group: the default waits for a member for five seconds more.
	c := integration.StartGroup(t, integration.WithSetting("group_replication_member_expel_timeout", "0"))
	ctx, sys := t.Context(), groupSystem
	one, two, three := c.Primary, c.Replicas[0], c.Replicas[1]
	assert.Equal(t, "member-1 member-2 member-3", fmt.Sprint(one, " ", two, " ", three))
	require.Same(t, one, groupPrimary(t, one, two, three))
	name := create(t, sys, one)
	insert(t, sys, one, name, 1)
	require.NoError(t, c.WaitReplayed(ctx))
	for _, s := range c.Replicas {
		assert.Equal(t, "1", ids(t, sys, s, name))
		_, err := sys.open(t, s.URI()).ExecContext(ctx, "INSERT INTO "+name+" VALUES (9)")
		assert.ErrorContains(t, err, sys.readOnly)
	}

	require.NoError(t, two.PauseReplay(ctx))
	insert(t, sys, one, name, 2)
	require.ErrorIs(t, c.WaitReplayed(soon(t, time.Second)), context.DeadlineExceeded)
	assert.Equal(t, "1", ids(t, sys, two, name))
	assert.Equal(t, "1,2", ids(t, sys, three, name))
	require.NoError(t, two.ResumeReplay(ctx))
	require.NoError(t, c.WaitReplayed(ctx))
	assert.Equal(t, "1,2", ids(t, sys, two, name))

	require.NoError(t, two.Promote(ctx), "in good order")
	require.Same(t, two, groupPrimary(t, one, two, three))
	insert(t, sys, two, name, 3)

	require.NoError(t, two.Kill(ctx))
	next := groupPrimary(t, one, three)
	insert(t, sys, next, name, 4)
	require.NoError(t, two.Start(ctx), "it joins again")
	require.NoError(t, c.WaitReplayed(ctx))
	assert.Equal(t, "1,2,3,4", ids(t, sys, two, name))

	require.NoError(t, three.Rebuild(ctx, one))
	require.NoError(t, c.WaitReplayed(ctx))
	assert.Equal(t, "1,2,3,4", ids(t, sys, three, name))

	assert.ErrorIs(t, two.Follow(ctx, one), integration.ErrNotPossible)
	assert.ErrorIs(t, two.DelayReplay(ctx, time.Second), integration.ErrNotPossible)
	assert.ErrorIs(t, two.CutOff(ctx), integration.ErrNotPossible)
}

func TestGroup_isFoundedAgain(t *testing.T) {
	teston.Only(t, teston.Group)
	c := integration.StartGroup(t)
	ctx, sys := t.Context(), groupSystem
	name := create(t, sys, c.Primary)
	insert(t, sys, c.Primary, name, 1)
	require.NoError(t, c.WaitReplayed(ctx))
	all := []*integration.Server{c.Primary, c.Replicas[0], c.Replicas[1]}
	for _, s := range all {
		require.NoError(t, s.Kill(ctx))
	}
	for _, s := range all {
		require.NoError(t, s.Start(ctx), s.Name())
	}
	insert(t, sys, groupPrimary(t, all...), name, 2)
	require.NoError(t, c.WaitReplayed(ctx))
	for _, s := range all {
		assert.Equal(t, "1,2", ids(t, sys, s, name), s.Name())
	}
}
