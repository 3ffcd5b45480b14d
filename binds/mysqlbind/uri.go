package mysqlbind

import (
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds/internal/dburi"
	"github.com/bindery-go/bindery/binds/internal/peer"
)

const (
	defaultPort           = 3306
	defaultConnectTimeout = 10 * time.Second
	defaultMaxPacket      = 64 << 20 // MySQL 8's own default
	maxMaxPacket          = 1 << 30  // the servers' upper limit
)

// refused are parameters of other clients and libraries, and what to do instead.
var refused = map[string]string{
	"tls":                      "give ssl-mode",
	"timeout":                  "give connect_timeout",
	"user":                     "the user stands before the host, as in mysql://user@host/database",
	"password":                 "the password stands before the host, as in mysql://user:password@host/database",
	"parseTime":                "times are always read as time.Time",
	"loc":                      "times are always stored and read in UTC",
	"time_zone":                "every session is in UTC, so that NOW() and TIMESTAMP columns agree with what Go writes",
	"charset":                  "the character set is always utf8mb4; its order is chosen by collation",
	"multiStatements":          "several statements in one text are the way in for injected ones: send them one by one",
	"clientFoundRows":          "RowsAffected always counts the rows that matched, as the other databases do",
	"allowAllFiles":            "LOAD DATA LOCAL lets the server ask for any file of this machine: register the one file with mysql.RegisterLocalFile",
	"local_infile":             "LOAD DATA LOCAL lets the server ask for any file of this machine: register the one file with mysql.RegisterLocalFile",
	"allowCleartextPasswords":  "give enable-cleartext-plugin, which wants a verified server",
	"allowFallbackToPlaintext": "a connection is encrypted or it is not: give ssl-mode",
	"allowOldPasswords":        "no supported server has them",
	"allowNativePasswords":     "the account's plugin decides",
	"rejectReadOnly":           "a connection that answers read-only is retired by the router",
	"checkConnLiveness":        "idle connections are always checked",
	"columnsWithAlias":         "Bun names its columns itself",
	"tx_read_only":             "readers are always read-only, writers never",
	"transaction_read_only":    "readers are always read-only, writers never",
	"autocommit":               "it is always on: database/sql opens transactions itself",
}

var refusedNames = slices.Sorted(maps.Keys(refused))

// settings are what a URI says.
type settings struct {
	config         *mysql.Config // without its password, and without TLS
	guard          *guard
	warnings       []string // see [binds.Warner]
	files          []string // see [binds.FileReader]
	password       string
	compress       bool
	setUp          string // the first statement of every session
	connectTimeout time.Duration
	timeoutGiven   bool // connectTimeout is the URI's
}

// open reads a URI into a source.
func open(text string) (*source, error) {
	s, err := parse(text)
	if err != nil {
		return nil, err
	}
	return newSource(s)
}

func parse(text string) (*settings, error) {
	u, err := dburi.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "mysql" && u.Scheme != "mariadb" {
		return nil, errors.New(`the scheme must be "mysql" or "mariadb"`)
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.DBName = u.User, u.Path
	cfg.Logger = &mysql.NopLogger{} // the default one writes to stderr
	cfg.Loc, cfg.ParseTime = time.UTC, true
	cfg.ClientFoundRows = true
	cfg.DialFunc = dial
	if err := setAddress(cfg, u); err != nil {
		return nil, err
	}
	p := u.Params
	cfg.ReadTimeout = p.Duration("read_timeout", 0, time.Second)
	cfg.WriteTimeout = p.Duration("write_timeout", 0, time.Second)
	cfg.MaxAllowedPacket = p.Int("max_allowed_packet", defaultMaxPacket, 0, maxMaxPacket)
	cfg.InterpolateParams = p.Bool("interpolate_params", false)
	setProgramName(cfg, p)
	s := &settings{
		config:         cfg,
		guard:          &guard{local: peer.Local},
		password:       u.Password,
		compress:       p.Bool("compress", false),
		setUp:          setUpStatement(p),
		timeoutGiven:   p.Has("connect_timeout"),
		connectTimeout: p.Duration("connect_timeout", defaultConnectTimeout, time.Second),
	}
	s.setTLS(u)
	for _, name := range refusedNames {
		p.Refuse(name, refused[name])
	}
	return s, p.Done()
}

// setAddress fills in where the server listens: a host and port, or a socket.
func setAddress(cfg *mysql.Config, u *dburi.URI) error {
	socket := u.Params.String("socket", "")
	if strings.HasPrefix(u.Host, "/") {
		if socket != "" {
			return errors.New(`the host and the parameter "socket" both name a socket: keep one`)
		}
		socket, u.Host = u.Host, ""
	}
	if socket == "" {
		host, port := u.Host, u.Port
		if host == "" {
			host = "localhost"
		}
		if port == 0 {
			port = defaultPort
		}
		cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(host, strconv.Itoa(port))
		return nil
	}
	switch {
	case u.Host != "" && u.Host != "localhost":
		return errors.New(`the URI names a host and a socket: keep one`)
	case u.Port != 0:
		return errors.New("the URI names a socket, which has no port: leave it out")
	case !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@"):
		return errors.New(`parameter "socket" must be an absolute path`)
	}
	cfg.Net, cfg.Addr = "unix", socket
	return nil
}

func setProgramName(cfg *mysql.Config, p *dburi.Params) {
	name := p.String("program_name", "")
	switch {
	case strings.ContainsAny(name, ",:"):
		p.Fail(`parameter "program_name" must not hold "," or ":"`)
	case name != "":
		cfg.ConnectionAttributes = "program_name:" + name
	}
}
