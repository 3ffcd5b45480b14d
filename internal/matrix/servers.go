package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A server is a row of the matrix.
type server struct {
	name    string
	title   string
	on      string // BINDERY_TEST_ON
	fetched string // its name in scripts/servers.sh; "" if it cannot be had
	why     string // why it cannot
}

var servers = []server{
	{name: "postgres-12", title: "PostgreSQL 12", on: "postgres", fetched: "postgres-12"},
	{name: "postgres-13", title: "PostgreSQL 13", on: "postgres", fetched: "postgres-13"},
	{name: "postgres-14", title: "PostgreSQL 14", on: "postgres", fetched: "postgres-14"},
	{name: "postgres-15", title: "PostgreSQL 15", on: "postgres", fetched: "postgres-15"},
	{name: "postgres-16", title: "PostgreSQL 16", on: "postgres", fetched: "postgres-16"},
	{name: "postgres-17", title: "PostgreSQL 17", on: "postgres", fetched: "postgres-17"},
	{name: "postgres-18", title: "PostgreSQL 18", on: "postgres", fetched: "postgres-18"},
	{name: "mysql-8.4", title: "MySQL 8.4", on: "mysql", why: "no package archive that scripts/servers.sh asks has it"},
	{name: "mysql-9.7", title: "MySQL 9.7", on: "mysql", fetched: "mysql-9.7"},
	{name: "group", title: "MySQL 9.7, Group Replication", on: "group", fetched: "mysql-9.7"},
	{name: "mariadb-10.6", title: "MariaDB 10.6", on: "mariadb", why: "no package archive that scripts/servers.sh asks has it"},
	{name: "mariadb-10.11", title: "MariaDB 10.11", on: "mariadb", fetched: "mariadb-10.11"},
	{name: "mariadb-11.8", title: "MariaDB 11.8", on: "mariadb", fetched: "mariadb-11.8"},
	{name: "galera", title: "MariaDB 10.11, Galera", on: "galera", fetched: "mariadb-10.11"},
}

// Those that every quick run tests; the others take turns, one a day.
var always = []string{"mysql-9.7", "postgres-18"}

// choose returns the servers to test, in the order of the table, or of their urgency in a quick run.
func choose(names []string, quick bool, now time.Time) ([]server, error) {
	if len(names) == 0 && quick {
		var others []string
		for _, s := range servers {
			if s.inTurn() {
				others = append(others, s.name)
			}
		}
		names = append(slices.Clone(always), others[dayOf(now)%len(others)])
	}
	if len(names) == 0 {
		return servers, nil
	}
	var chosen []server
	for _, name := range names {
		i := slices.IndexFunc(servers, func(s server) bool { return s.name == name })
		if i < 0 {
			var known []string
			for _, s := range servers {
				known = append(known, s.name)
			}
			return nil, fmt.Errorf("unknown server %q (have %s)", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, servers[i])
	}
	return chosen, nil
}

// inTurn reports whether a quick run takes the server in its turn. Groups have none: what their members show is not
// proved yet, so that suites fail which expect reads on readers; the page says which.
func (s server) inTurn() bool {
	return s.fetched != "" && !slices.Contains(always, s.name) && s.on != "galera" && s.on != "group"
}

func dayOf(now time.Time) int { return int(now.Unix() / int64(24*time.Hour/time.Second)) }

func (s server) postgres() bool { return s.on == "postgres" }
