package manager_test

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/manager"
)

// A database that has its tables from elsewhere: they are noted, and what follows runs.
func TestBaseline(t *testing.T) {
	m, ctx := open(t), t.Context()
	g := migratorOf(t, m, cityFiles)
	_, err := m.NewRaw(accounts{}, "CREATE TABLE cities (name TEXT)").Exec(ctx)
	require.NoError(t, err)

	_, err = g.Baseline(ctx, "20240109")
	require.ErrorContains(t, err, `there is no migration "20240109" (have 20240101_cities, 20240102_rome)`)
	plan, err := g.Baseline(ctx, "20240101", manager.DryRun())
	require.NoError(t, err)
	s, err := g.Status(ctx)
	require.NoError(t, err)
	assert.Len(t, s.Pending(), 2, "a dry run notes nothing")

	var steps []manager.MigrationStep
	noted, err := g.Baseline(ctx, "20240101_cities", manager.MigrationProgress(func(s manager.MigrationStep) { s.Took = 0; steps = append(steps, s) }))
	require.NoError(t, err)
	assert.Equal(t, plan.String(), noted.String())
	assert.Equal(t, "group #1 (20240101_cities)", noted.String())
	step := manager.MigrationStep{Bind: "accounts", Direction: "baseline", Name: "20240101_cities", Nth: 1, Of: 1}
	ended := step
	ended.Ended = true
	assert.Equal(t, []manager.MigrationStep{step, ended}, steps)
	_, err = g.Baseline(ctx, "20240101")
	require.ErrorContains(t, err, "is applied already")

	done, err := g.Up(ctx)
	require.NoError(t, err)
	assert.Equal(t, "group #2 (20240102_rome)", done.String())
	assert.Equal(t, []string{"Ostia", "Rome"}, cities(t, m))
}

// Up and Down tell each migration twice, the last time with what became of it.
func TestMigrationProgress(t *testing.T) {
	m, ctx := open(t), t.Context()
	texts := map[string]string{"accounts/20240103_broken.up.sql": "NONSENSE"}
	for name, text := range cityFiles {
		texts[name] = text
	}
	g := migratorOf(t, m, texts)
	var told []string
	tell := manager.MigrationProgress(func(s manager.MigrationStep) {
		line := s.Direction + " " + s.Name
		if s.Ended {
			line += " ended"
			assert.Positive(t, s.Took)
		}
		if s.Err != nil {
			line += " failed"
		}
		told = append(told, line)
	})
	_, err := g.Up(ctx, tell)
	require.Error(t, err)
	assert.Equal(t, []string{"up 20240101_cities", "up 20240101_cities ended", "up 20240102_rome", "up 20240102_rome ended",
		"up 20240103_broken", "up 20240103_broken ended failed"}, told)
	told = nil
	_, err = g.Down(ctx, tell)
	require.NoError(t, err)
	assert.Equal(t, []string{"down 20240102_rome", "down 20240102_rome ended", "down 20240101_cities", "down 20240101_cities ended"}, told)
}

// What somebody else applied after the plan was made is not undone by it.
func TestDownIfStill(t *testing.T) {
	m, ctx := open(t), t.Context()
	g := migratorOf(t, m, cityFiles)
	_, err := g.Up(ctx)
	require.NoError(t, err)
	plan, err := g.Down(ctx, manager.DryRun())
	require.NoError(t, err)
	texts := map[string]string{"accounts/20240103_more.up.sql": "INSERT INTO cities VALUES ('Paris')"}
	for name, text := range cityFiles {
		texts[name] = text
	}
	later := migratorOf(t, m, texts)
	_, err = later.Up(ctx)
	require.NoError(t, err)

	done, err := later.Down(ctx, manager.IfStill(plan))
	require.ErrorContains(t, err, "somebody has migrated meanwhile")
	assert.True(t, done.IsZero())
	assert.Len(t, cities(t, m), 3)
	plan, err = later.Down(ctx, manager.DryRun())
	require.NoError(t, err)
	_, err = later.Down(ctx, manager.IfStill(plan))
	require.NoError(t, err)
	assert.Equal(t, []string{"Ostia", "Paris", "Rome"}, cities(t, m), "it has no down part, and counts as undone")
}

func ExampleMigrator_Baseline() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	accounts, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	migrations, err := manager.MigrationsFrom(fstest.MapFS{
		"migrations/accounts/20240101_teams.up.sql":   {Data: []byte("CREATE TABLE teams (name TEXT)")}, // which is there already
		"migrations/accounts/20240102_leagues.up.sql": {Data: []byte("CREATE TABLE leagues (name TEXT)")},
	}, accounts)
	if err != nil {
		panic(err)
	}
	g := accounts.Migrator(migrations)
	noted, err := g.Baseline(ctx, "20240101")
	fmt.Println(noted, err)
	run, err := g.Up(ctx)
	fmt.Println(run, err)
	// Output:
	// group #1 (20240101_teams) <nil>
	// group #2 (20240102_leagues) <nil>
}

func ExampleMigrationProgress() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	accounts, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	migrations, err := manager.MigrationsFrom(fstest.MapFS{
		"migrations/accounts/20240101_teams.up.sql":     {Data: []byte("CREATE TABLE teams (name TEXT)")},
		"migrations/accounts/20240101_teams.down.sql":   {Data: []byte("DROP TABLE teams")},
		"migrations/accounts/20240102_leagues.up.sql":   {Data: []byte("CREATE TABLE leagues (name TEXT)")},
		"migrations/accounts/20240102_leagues.down.sql": {Data: []byte("DROP TABLE leagues")},
	}, accounts)
	if err != nil {
		panic(err)
	}
	tell := manager.MigrationProgress(func(s manager.MigrationStep) {
		if s.Ended {
			fmt.Printf("%d/%d %s %s\n", s.Nth, s.Of, s.Direction, s.Name)
		}
	})
	g := accounts.Migrator(migrations)
	if _, err := g.Up(ctx, tell); err != nil {
		fmt.Println(err)
	}
	plan, err := g.Down(ctx, manager.DryRun()) // to be shown, and agreed to
	if err != nil {
		fmt.Println(err)
	}
	if _, err := g.Down(ctx, manager.IfStill(plan), tell); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1/2 up 20240101_teams
	// 2/2 up 20240102_leagues
	// 1/2 down 20240102_leagues
	// 2/2 down 20240101_teams
}
