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
	mysqlSetting    = "BINDERY_MYSQL_BIN"
	galeraSetting   = "BINDERY_GALERA"

	pgbouncerSetting   = "BINDERY_PGBOUNCER_BIN"
	pgpoolSetting      = "BINDERY_PGPOOL_BIN"
	mysqlrouterSetting = "BINDERY_MYSQLROUTER_BIN"
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
	mysqlPlaces = []string{
		"/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin",
		"/usr/local/mysql/bin",
		"/opt/homebrew/opt/mysql*/bin",
		"/usr/local/opt/mysql*/bin",
		"/opt/local/lib/mysql*/bin",
	}
	poolerPlaces = []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"}
	galeraPlaces = []string{
		"/usr/lib/galera", "/usr/lib/galera-4", "/usr/lib64/galera-4", "/usr/lib64/galera", "/usr/lib/*-linux-gnu/galera",
	}
)

// fetched returns where "make servers" puts the servers that it fetches, looked at last: scripts/servers.sh has the same.
func fetched(patterns ...string) []string {
	folder := os.Getenv("BINDERY_SERVERS")
	if folder == "" && os.Geteuid() == 0 {
		folder = "/var/cache/bindery-servers" // the servers run as another user, who may not enter root's home
	}
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil
		}
		folder = filepath.Join(cache, "bindery", "servers")
	}
	places := make([]string, len(patterns))
	for i, p := range patterns {
		places[i] = filepath.Join(folder, p)
	}
	return places
}

// findPostgres returns the first directory that holds both postgres and initdb.
func findPostgres() (string, error) {
	if !supported {
		return "", errUnsupported
	}
	programs := []string{"postgres", "initdb"}
	places := searchPath(postgresSetting, slices.Concat(postgresPlaces, fetched("postgres-*/bin", "postgres-*/usr/lib/postgresql/*/bin")))
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
	return findMariaDBIn(searchPath(mariadbSetting, slices.Concat(mariadbPlaces, fetchedMariaDB())))
}

func fetchedMariaDB() []string { return fetched("mariadb-*/usr/sbin", "mariadb-*/usr/bin") }

func findMariaDBIn(places []string) (server, installer string, err error) {
	programs := []string{"mariadbd", "mariadb-install-db"}
	server, installer = firstExecutable(places, programs[0]), firstExecutable(places, programs[1])
	if server != "" && installer != "" {
		return server, installer, nil
	}
	return "", "", &MissingServerError{
		Server: "MariaDB", Programs: programs, Searched: places, Setting: mariadbSetting,
		Install: "make deps, or: apt-get install mariadb-server-core mariadb-client-core",
	}
}

// findMySQL returns MySQL's server. MariaDB installs a link of the same name to its own.
func findMySQL() (string, error) {
	if !supported {
		return "", errUnsupported
	}
	const program = "mysqld"
	places := searchPath(mysqlSetting, slices.Concat(mysqlPlaces, fetched("mysql-*/usr/sbin")))
	for _, dir := range places {
		if server := executable(filepath.Join(dir, program)); filepath.Base(server) == program {
			return server, nil
		}
	}
	return "", &MissingServerError{
		Server: "MySQL", Programs: []string{program}, Searched: places, Setting: mysqlSetting,
		Install: "scripts/servers.sh mysql-9.7",
	}
}

// findPgBouncers returns every program found of PgBouncer.
func findPgBouncers() ([]string, error) {
	return findPoolers("PgBouncer", "pgbouncer", "pgbouncer-*/usr/sbin", pgbouncerSetting, "scripts/servers.sh pgbouncer-1.18 pgbouncer-1.26")
}

// findPgpools returns every program found of Pgpool-II.
func findPgpools() ([]string, error) {
	return findPoolers("Pgpool-II", "pgpool", "pgpool-*/usr/sbin", pgpoolSetting, "scripts/servers.sh pgpool-4.3 pgpool-4.7")
}

// findMySQLRouters returns every program found of MySQL Router.
func findMySQLRouters() ([]string, error) {
	return findPoolers("MySQL Router", "mysqlrouter", "mysqlrouter-*/usr/bin", mysqlrouterSetting, "scripts/servers.sh mysqlrouter-9.7")
}

func findPoolers(name, program, fetchedIn, setting, install string) (programs []string, err error) {
	if !supported {
		return nil, errUnsupported
	}
	places := searchPath(setting, slices.Concat(poolerPlaces, fetched(fetchedIn)))
	for _, dir := range places {
		if path := executable(filepath.Join(dir, program)); path != "" && !slices.Contains(programs, path) {
			programs = append(programs, path)
		}
	}
	if programs != nil {
		return programs, nil
	}
	return nil, &MissingServerError{
		Server: name, Programs: []string{program}, Searched: places, Setting: setting,
		Install: install,
	}
}

// findGalera returns MariaDB's programs with the library that makes its servers a cluster: that of the setting, else
// one beside the server, else an installed one. An installed server without any gives way to one that was fetched.
func findGalera() (server, installer, library string, err error) {
	server, installer, err = findMariaDB()
	if err == nil {
		library, err = findGaleraFor(server)
	}
	if err != nil && os.Getenv(mariadbSetting) == "" && os.Getenv(galeraSetting) == "" {
		fetchedServer, fetchedInstaller, errFetched := findMariaDBIn(glob(fetchedMariaDB()))
		if errFetched == nil {
			server, installer = fetchedServer, fetchedInstaller
			library, err = findGaleraFor(server)
		}
	}
	return server, installer, library, err
}

func findGaleraFor(server string) (string, error) {
	const library = "libgalera_smm.so"
	if file := os.Getenv(galeraSetting); file != "" {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
		return "", missingGalera(library, []string{file})
	}
	places := append([]string{filepath.Join(filepath.Dir(server), "../lib/galera")}, galeraPlaces...)
	for _, dir := range glob(places) {
		if info, err := os.Stat(filepath.Join(dir, library)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(dir, library), nil
		}
	}
	return "", missingGalera(library, places)
}

func missingGalera(library string, places []string) error {
	return &MissingServerError{
		Server: "Galera", Programs: []string{library}, Searched: places, Setting: galeraSetting,
		Install: "scripts/servers.sh mariadb-10.11, or: apt-get install galera-4",
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
	for _, dir := range glob(patterns) {
		add(dir)
	}
	return places
}

// glob returns what each pattern matches, the newest version first.
func glob(patterns []string) []string {
	var places []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern)       // the patterns are well formed
		fixed, _, _ := strings.Cut(pattern, "*") // it may hold numbers: somebody's name
		slices.SortFunc(found, func(a, b string) int { return version(b[len(fixed):]) - version(a[len(fixed):]) })
		places = append(places, found...)
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
