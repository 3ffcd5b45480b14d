package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	postgresSetting = "BINDERY_PG_BIN"
	mariadbSetting  = "BINDERY_MARIADB_BIN"
)

// Where servers are installed, beside PATH. scripts/install-servers.sh has the same lists.
var (
	postgresPlaces = []string{
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
		"/usr/pgsql-*/bin",          // postgresql.org's packages for Fedora, RHEL
		"/usr/local/pgsql/bin",      // source builds
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin", // Homebrew on Intel
		"/opt/local/lib/postgresql*/bin", // MacPorts
	}
	mariadbPlaces = []string{
		"/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin",
		"/usr/local/mariadb/bin", "/usr/local/mariadb/scripts",
		"/usr/local/mysql/bin", "/usr/local/mysql/scripts",
		"/opt/homebrew/opt/mariadb*/bin",
		"/usr/local/opt/mariadb*/bin",
		"/opt/local/lib/mariadb*/bin",
	}
)

// findPostgres returns the first directory that holds both postgres and initdb.
func findPostgres() (string, error) {
	if !supported {
		return "", errUnsupported
	}
	programs := []string{"postgres", "initdb"}
	places := searchPath(postgresSetting, postgresPlaces)
	for _, dir := range places {
		initdb := executable(filepath.Join(dir, programs[1]))
		if initdb == "" {
			continue
		}
		// It may be linked into PATH without the server: look where the link leads first.
		for _, home := range []string{filepath.Dir(initdb), dir} {
			if executable(filepath.Join(home, programs[0])) != "" {
				return home, nil
			}
		}
	}
	return "", &MissingServerError{
		Server: "PostgreSQL", Programs: programs, Searched: places, Setting: postgresSetting,
		Install: "make deps, or: apt-get install postgresql",
	}
}

// findMariaDB returns the server and the program that makes its system tables: they are often in
// different directories.
func findMariaDB() (server, installer string, err error) {
	if !supported {
		return "", "", errUnsupported
	}
	programs := []string{"mariadbd", "mariadb-install-db"}
	places := searchPath(mariadbSetting, mariadbPlaces)
	server, installer = firstExecutable(places, programs[0]), firstExecutable(places, programs[1])
	if server != "" && installer != "" {
		return server, installer, nil
	}
	return "", "", &MissingServerError{
		Server: "MariaDB", Programs: programs, Searched: places, Setting: mariadbSetting,
		Install: "make deps, or: apt-get install mariadb-server-core mariadb-client-core",
	}
}

// searchPath returns the directories to search: those of the setting alone if it is set.
func searchPath(setting string, patterns []string) []string {
	if dirs := os.Getenv(setting); dirs != "" {
		return filepath.SplitList(dirs)
	}
	var places []string
	add := func(dir string) {
		if !slices.Contains(places, dir) {
			places = append(places, dir)
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			add(filepath.Clean(dir))
		}
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern)                                               // the patterns are well formed
		slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) }) // the newest first
		for _, dir := range found {
			add(dir)
		}
	}
	return places
}

// version returns the first number in a path, or zero: /usr/lib/postgresql/15/bin is 15.
func version(path string) int {
	start := strings.IndexAny(path, "0123456789")
	if start < 0 {
		return 0
	}
	end := start
	for end < len(path) && path[end] >= '0' && path[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(path[start:end]) // digits only
	return n
}

func firstExecutable(dirs []string, program string) string {
	for _, dir := range dirs {
		if path := executable(filepath.Join(dir, program)); path != "" {
			return path
		}
	}
	return ""
}

// executable returns path with its links resolved, or "" if it is no program.
func executable(path string) string {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode().Perm()&0o111 == 0 {
		return ""
	}
	return path
}
