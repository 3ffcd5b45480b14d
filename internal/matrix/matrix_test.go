package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What go test -json printed of a package with subtests: one fails, one is skipped.
const printed = `{"Action":"start"}
{"Action":"run","Test":"TestA"}
{"Action":"run","Test":"TestA/x"}
{"Action":"run","Test":"TestA/y"}
{"Action":"output","Test":"TestA/y","Output":"    a_test.go:7: \n"}
{"Action":"output","Test":"TestA/y","Output":"        \tError Trace:\t/somewhere/a_test.go:7\n"}
{"Action":"output","Test":"TestA/y","Output":"        \tError:      \tNot equal /some/where/b_test.go:3\n"}
{"Action":"pass","Test":"TestA/x"}
{"Action":"fail","Test":"TestA/y"}
{"Action":"fail","Test":"TestA"}
{"Action":"run","Test":"TestB"}
{"Action":"skip","Test":"TestB"}
{"Action":"run","Test":"TestC"}
{"Action":"pass","Test":"TestC"}
panic: not JSON
{"Action":"fail"}
`

func TestCount_countsTestsWithoutSubtests(t *testing.T) {
	c, rest := count(strings.NewReader(printed))
	assert.Equal(t, cell{Passed: 2, Failed: 1, Skipped: 1, Failures: []string{"TestA/y: Error: Not equal b_test.go:3"}}, c)
	assert.Equal(t, "panic: not JSON\n", rest)
}

func TestCount_ofAParentThatFailsItself(t *testing.T) {
	c, _ := count(strings.NewReader(`{"Action":"run","Test":"TestA"}
{"Action":"run","Test":"TestA/x"}
{"Action":"pass","Test":"TestA/x"}
{"Action":"output","Test":"TestA","Output":"    a_test.go:9: at the end"}
{"Action":"fail","Test":"TestA"}
`))
	assert.Equal(t, cell{Passed: 1, Failed: 1, Failures: []string{"TestA: a_test.go:9: at the end"}}, c)
}

// rowOf is PostgreSQL 18 with one cell.
func rowOf(version string, suite string, c cell) row {
	return row{Name: "postgres-18", Title: "PostgreSQL 18", Version: version, Date: "2026-01-02", Cells: map[string]cell{suite: c}}
}

func TestWith_keepsWhatWasNotRunAgain(t *testing.T) {
	var rs results
	rs = rs.with(rowOf("18.4", "locks", cell{Passed: 3}))
	rs = rs.with(rowOf("18.4", "models", cell{Passed: 4}))
	assert.Equal(t, map[string]cell{"locks": {Passed: 3}, "models": {Passed: 4}}, rs[0].Cells)
	rs = rs.with(rowOf("18.4", "locks", cell{Failed: 1}))
	assert.Equal(t, cell{Failed: 1}, rs[0].Cells["locks"], "a new failure is not hidden by an old pass")
	rs = rs.with(rowOf("18.6", "locks", cell{Passed: 3}))
	assert.Equal(t, map[string]cell{"locks": {Passed: 3}}, rs[0].Cells, "another version has passed nothing yet")
	later := rowOf("18.6", "models", cell{Passed: 4})
	later.Date = "2026-02-03"
	assert.Equal(t, "2026-01-02", rs.with(later)[0].Date, "no result is shown as newer than it is")
	first := row{Name: "postgres-13", Cells: map[string]cell{}}
	assert.Equal(t, "postgres-13", rs.with(first)[0].Name, "in the order of the servers")
}

func TestPage_tellsNotRunFromPassed(t *testing.T) {
	rs := results{
		rowOf("18.6", "locks", cell{Passed: 3, Skipped: 1}),
		{Name: "mysql-8.4", Title: "MySQL 8.4", Cells: map[string]cell{}},
		{Name: "mysql-9.7", Title: "MySQL 9.7", Version: "9.7.4", Cells: map[string]cell{"locks": {Passed: 2, Failed: 1, Failures: []string{"TestX: broken"}}}},
	}
	for _, s := range suites {
		rs[1].Cells[s.name] = cell{NotRun: "nobody has it"}
	}
	p := page(rs)
	assert.Contains(t, p, "| PostgreSQL 18 | 18.6 | 2026-01-02 | not run | not run | not run | not run | not run | 3 (1) |")
	assert.Contains(t, p, "| **1 of 3 failed** |")
	assert.Contains(t, p, "- MySQL 9.7, locks: TestX: broken\n")
	assert.Contains(t, p, "- MySQL 8.4: nobody has it\n")
	assert.Contains(t, p, "- PostgreSQL 18, models: never\n")

	front := frontPart(rs)
	assert.NotContains(t, front, "All suites pass")
	assert.Contains(t, front, "In part on: PostgreSQL 18 (1 of 10 suites run), MySQL 9.7 (1 of 1 suites fail).")
	assert.Contains(t, front, "Untried: MySQL 8.4, every other version and product.")
}

func TestBetween(t *testing.T) {
	got, err := between("a\n"+frontBegin+"\nold\n"+frontEnd+"\nz\n", "new\n")
	require.NoError(t, err)
	assert.Equal(t, "a\n"+frontBegin+"\nnew\n"+frontEnd+"\nz\n", got)
	_, err = between("a\n", "new\n")
	assert.ErrorContains(t, err, frontBegin)
}

func TestChoose(t *testing.T) {
	names := func(chosen []server) []string {
		var names []string
		for _, s := range chosen {
			names = append(names, s.name)
		}
		return names
	}
	all, err := choose(nil, false, time.Now())
	require.NoError(t, err)
	assert.Equal(t, servers, all)

	seen := map[string]bool{}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range len(servers) {
		quick, err := choose(nil, true, day)
		require.NoError(t, err)
		require.Len(t, quick, 3)
		assert.Equal(t, always, names(quick[:2]))
		seen[quick[2].name] = true
		day = day.AddDate(0, 0, 1)
	}
	for _, s := range servers {
		assert.Equal(t, s.inTurn(), seen[s.name] && s.name != always[0] && s.name != always[1], "%s has its turn", s.name)
	}
	_, err = choose([]string{"oracle-23"}, false, day)
	assert.ErrorContains(t, err, `unknown server "oracle-23" (have postgres-12, `)
	begins := map[string]bool{}
	for range suites {
		quick, err := chooseSuites("", true, day)
		require.NoError(t, err)
		begins[quick[0].name] = true
		day = day.AddDate(0, 0, 1)
	}
	for _, s := range suites {
		assert.Equal(t, s.quick, begins[s.name], "%s is the first one day", s.name)
	}
	_, err = chooseSuites("nonsense", false, day)
	assert.ErrorContains(t, err, `unknown suite "nonsense"`)
}

// Every suite finds its tests: a file that was renamed would empty a column.
func TestSuites_haveTests(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, su := range suites {
		for _, s := range servers {
			for _, p := range su.parts(s) {
				_, err := os.Stat(filepath.Join(root, p.pkg))
				require.NoError(t, err)
				pattern, err := p.pattern(root)
				require.NoError(t, err, su.name)
				if p.files != nil {
					assert.Regexp(t, `^\^\(Test\w+(\|Test\w+)*\)\$$`, pattern)
				}
			}
		}
	}
}

// Each server of the matrix is one that the script fetches.
func TestServers_areTheScripts(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "scripts", "servers.sh"))
	require.NoError(t, err)
	_, line, _ := strings.Cut(string(text), "\nall='")
	line, _, _ = strings.Cut(line, "'")
	known := strings.Fields(line)
	var used []string
	for _, s := range servers {
		if s.fetched == "" {
			assert.NotEmpty(t, s.why, s.name)
			continue
		}
		used = append(used, s.fetched)
		assert.Contains(t, known, s.fetched)
	}
	for _, name := range known {
		if strings.HasPrefix(name, "pgbouncer-") || strings.HasPrefix(name, "pgpool-") || strings.HasPrefix(name, "mysqlrouter-") {
			continue // no database
		}
		assert.Contains(t, used, name)
	}
}

func TestCauseNamesNoDirectory(t *testing.T) {
	for said, want := range map[string]string{
		"/home/app/src/servers_test.go:12: gone":                        "servers_test.go:12: gone",
		"x: dial unix /tmp/bindery-73/sockets/a.sock: connect: no file": "x: dial unix a.sock: connect: no file",
		`open "/var/lib/a": no`:                                         `open "a": no`,
		"Test: TestConformance/Faults/a_lock_timeout":                   "Test: TestConformance/Faults/a_lock_timeout",
		"postgres://app@db1/accounts":                                   "postgres://app@db1/accounts",
	} {
		assert.Equal(t, want, cause([]string{said}))
	}
}
