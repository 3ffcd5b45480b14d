package binds

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// foreign returns an error with the URI to write where text is the address of a database in the form of
// another library, and nil where it is not. The URI shows host, port, database and file where their places in
// text are beyond doubt: what stands elsewhere may be a password.
func foreign(text string) error {
	for _, read := range []func(string) (form, uri string){goMySQL, keywords, jdbc, otherScheme, sqliteFile} {
		if form, uri := read(text); form != "" {
			return fmt.Errorf("this is %s: write %s", form, uri)
		}
	}
	if at := ownScheme.FindStringIndex(text); at != nil && at[0] > 0 {
		return fmt.Errorf("malformed URI: something stands before %s: give the URI alone, without quotes and blanks", text[at[0]:at[1]])
	}
	return nil
}

var ownScheme = regexp.MustCompile(`(postgres|postgresql|mysql|mariadb|sqlite)://`)

// elsewhere has the names of databases in the URIs of other libraries: pgx, golang-migrate, Django, Doctrine,
// Rails, PHP, SQLAlchemy; SQLite's own file:.
var elsewhere = map[string]string{
	"postgres": "postgres", "postgresql": "postgres", "postgis": "postgres", "psql": "postgres", "pgsql": "postgres",
	"pq": "postgres", "pgx": "postgres", "pgx4": "postgres", "pgx5": "postgres",
	"mysql": "mysql", "mysql2": "mysql", "mysqli": "mysql", "trilogy": "mysql", "mariadb": "mariadb",
	"sqlite": "sqlite", "sqlite3": "sqlite", "file": "sqlite",
}

// otherScheme reads sqlite3:app.db, file:app.db, pgx://… and SQLAlchemy's postgresql+asyncpg://….
func otherScheme(text string) (form, uri string) {
	scheme, rest, ok := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	if !ok || !isScheme(scheme) || packageOf(scheme) != "" {
		return "", ""
	}
	name, _, alchemy := strings.Cut(scheme, "+")
	ours := elsewhere[name]
	switch {
	case ours == "":
		return "", ""
	case ours != "sqlite" && !strings.HasPrefix(rest, "//"):
		return "", "" // what stands before the colon may be a user
	case !alchemy:
		form = fmt.Sprintf("another library's name, %q", scheme)
	default:
		form = fmt.Sprintf("SQLAlchemy's form, %q", scheme)
		if ours == "sqlite" { // where an absolute path has a fourth slash
			rest = strings.TrimPrefix(rest, "///")
		}
	}
	if ours == "sqlite" {
		return form, sqliteURI(rest)
	}
	return form, serverURI(ours, rest)
}

// jdbc reads jdbc:postgresql://host/database.
func jdbc(text string) (form, uri string) {
	rest, ok := cutPrefixFold(text, "jdbc:")
	if !ok {
		return "", ""
	}
	form = "JDBC's form"
	name, rest, _ := strings.Cut(rest, ":")
	switch ours := elsewhere[strings.ToLower(name)]; ours {
	case "":
		return form, "postgres://user:…@host/database, mysql://user:…@host/database or sqlite:file"
	case "sqlite":
		return form, sqliteURI(rest)
	default:
		return form, serverURI(ours, rest)
	}
}

// goMySQL reads user:password@tcp(host:3306)/database.
func goMySQL(text string) (form, uri string) {
	at := max(strings.LastIndex(text, "tcp("), strings.LastIndex(text, "unix("))
	if at < 0 || at > 0 && text[at-1] != '@' {
		return "", ""
	}
	form = "the DSN of github.com/go-sql-driver/mysql"
	parts := goAddress.FindStringSubmatch(text[at:])
	switch {
	case parts == nil:
		return form, "mysql://user:…@host/database"
	case parts[2] != "":
		return form, "mysql://user:…@/" + parts[3] + "?socket=" + parts[2]
	}
	return form, "mysql://user:…@" + parts[1] + "/" + parts[3]
}

const (
	safeHost = `(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?`
	safeName = `[A-Za-z0-9_.-]*`
	safePath = `[A-Za-z0-9_./ -]+`
)

var (
	goAddress  = regexp.MustCompile(`^(?:tcp\((` + safeHost + `)|unix\((/` + safePath + `))\)/(` + safeName + `)(?:\?[^@]*)?$`)
	authority  = regexp.MustCompile(`^//(?:[^@?]*@)?(` + safeHost + `)(?:/(` + safeName + `))?(?:\?[^@]*)?$`)
	sqliteName = regexp.MustCompile(`^(?:[A-Za-z]:[/\\])?` + `[A-Za-z0-9_./\\ -]+$`)
	keyword    = regexp.MustCompile(`^\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']*)(?:\s+|$)`)
)

// serverURI returns the URI of a server from what stands after the scheme in a URI of another kind.
func serverURI(scheme, rest string) string {
	if parts := authority.FindStringSubmatch(rest); parts != nil {
		return scheme + "://user:…@" + parts[1] + "/" + parts[2]
	}
	return scheme + "://user:…@host/database"
}

// keywords reads host=… dbname=… as libpq does: PostgreSQL's manual, section 34.1.1.1.
func keywords(text string) (form, uri string) {
	values := map[string]string{}
	for rest := text; rest != ""; {
		pair := keyword.FindStringSubmatch(rest)
		if pair == nil {
			values = nil
			break
		}
		values[strings.ToLower(pair[1])] = strings.Trim(pair[2], "'")
		rest = rest[len(pair[0]):]
	}
	const general = "postgres://user:…@host/database"
	switch {
	case values == nil && libpq.MatchString(text):
		return "libpq's form", general
	case values == nil || !libpq.MatchString(text):
		return "", ""
	}
	host, database := values["host"], values["dbname"]
	if port := values["port"]; port != "" && host != "" {
		host += ":" + port
	}
	if !exactly(safeHost, host) {
		host = "host"
	}
	if database == "" || !exactly(safeName, database) {
		database = "database"
	}
	return "libpq's form", "postgres://user:…@" + host + "/" + database
}

// libpq is the beginning of what keywords reads.
var libpq = regexp.MustCompile(`^\s*(host|hostaddr|port|dbname|user|password|service|sslmode)\s*=`)

func exactly(pattern, text string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(text)
}

// sqliteFile reads the plain name of a file, and :memory:. A text without a scheme may be anything, a password,
// too: it is not repeated.
func sqliteFile(text string) (form, uri string) {
	switch {
	case text == ":memory:":
		return "no URI", "sqlite::memory:"
	case drive.MatchString(text), strings.HasPrefix(text, "/"):
		return "no URI but a path", "sqlite:///absolute/path"
	case strings.HasPrefix(text, "./"), strings.HasPrefix(text, "../"), databaseFile.MatchString(text) && sqliteName.MatchString(text):
		return "no URI but a path", "sqlite:relative/path"
	}
	return "", ""
}

var (
	drive        = regexp.MustCompile(`^[A-Za-z]:[/\\]`)
	databaseFile = regexp.MustCompile(`\.(db|db3|sqlite|sqlite3|s3db)$`)
)

// sqliteURI returns the URI of a file from what stands after the scheme in a URI of another kind. Parameters
// are called otherwise there, and are left out.
func sqliteURI(rest string) string {
	name, params, _ := strings.Cut(rest, "?")
	name = strings.ReplaceAll(name, `\`, "/")
	name = strings.TrimPrefix(name, "//") // "///abs" is absolute, "//app.db" names no host
	switch {
	case name == ":memory:", name == "/:memory:", strings.Contains(params, "mode=memory"):
		return "sqlite::memory:"
	case name == "", !sqliteName.MatchString(name):
		return "sqlite:file"
	case drive.MatchString(name):
		return "sqlite:///" + name
	case strings.HasPrefix(name, "/"):
		return "sqlite://" + name
	}
	return "sqlite:" + name
}

func cutPrefixFold(text, prefix string) (rest string, ok bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return "", false
	}
	return text[len(prefix):], true
}

var errNoScheme = errors.New("malformed URI: it does not begin with a scheme such as postgres://")
