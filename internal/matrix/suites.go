package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A suite is a column of the matrix.
type suite struct {
	name  string
	quick bool // whether quick runs have it
	// parts returns the tests for a server.
	parts func(s server) []part
}

// A part is a package with all its tests, or with those of some files.
type part struct {
	pkg   string
	files []string
}

var suites = []suite{
	{"conformance", true, func(s server) []part {
		if s.postgres() {
			return []part{{pkg: "binds/pgbind"}}
		}
		return []part{{pkg: "binds/mysqlbind"}}
	}},
	{"statements", false, func(s server) []part {
		return []part{{"router/sqlkind", []string{"judge_postgres_test.go", "judge_mariadb_test.go", "judge_mysql_test.go", "judge_mysqlfamily_test.go", "catalog_test.go", "own_servers_test.go"}}}
	}},
	{"servers", false, integrationFiles("servers_test.go", "servers_secrets_test.go", "servers_orphan_test.go", "postgres_test.go", "mariadb_test.go", "mysql_test.go", "galera_test.go", "group_test.go")},
	{"routing", true, integrationFiles("routing_test.go", "bun_test.go", "failures_test.go", "faults_test.go", "processes_test.go")},
	{"freshness", false, integrationFiles("soak_test.go", "longtoken_test.go", "galera_reads_test.go", "group_history_test.go",
		"function_test.go", "primary_test.go", "reveal_test.go", "several_test.go", "mysqlrouter_test.go")},
	{"locks", true, integrationFiles("lock_test.go")},
	{"transactions", true, integrationFiles("tx_test.go", "tx_faults_test.go", "tx_lostupdate_test.go")},
	{"schema", false, integrationFiles("schema_race_test.go", "migrate_processes_test.go")},
	{"check", false, integrationFiles("check_test.go", "passwords_test.go")},
	{"models", true, func(server) []part {
		return []part{{pkg: "models"}, {pkg: "models/fixtures"}}
	}},
}

func integrationFiles(files ...string) func(server) []part {
	return func(server) []part { return []part{{"integration", files}} }
}

// chooseSuites returns the suites to run. A quick run begins with another one each day, since its time may not last for all.
func chooseSuites(only string, quick bool, now time.Time) ([]suite, error) {
	if only == "" && !quick {
		return suites, nil
	}
	if only == "" {
		chosen := slices.DeleteFunc(slices.Clone(suites), func(s suite) bool { return !s.quick })
		first := dayOf(now) % len(chosen)
		return append(chosen[first:], chosen[:first]...), nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown suite %q", name)
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// pattern returns the -test.run of a part: all, or the tests that its files hold.
func (p part) pattern(root string) (string, error) {
	if p.files == nil {
		return "", nil
	}
	var names []string
	for _, file := range p.files {
		text, err := os.ReadFile(filepath.Join(root, p.pkg, file))
		if err != nil {
			return "", err
		}
		for _, found := range testFunction.FindAllStringSubmatch(string(text), -1) {
			names = append(names, found[1])
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no test in %s of %s", strings.Join(p.files, ", "), p.pkg)
	}
	return "^(" + strings.Join(names, "|") + ")$", nil
}
