package integration

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// defaultPassword is hostile on purpose: a program that does not escape it in a URI fails at once.
const defaultPassword = "p@ss:w/rd?#%"

// An Option changes how the servers of a cluster are set up.
type Option func(*options)

type options struct {
	tls      bool
	sync     int // replicas that a commit waits for
	settings []setting
	password secret
	errs     []error
}

type setting struct{ name, value string }

// WithTLS gives the servers a certificate, signed by a new authority and valid for 127.0.0.1 and
// localhost; [Cluster.TLS] says where the files are. Connections without TLS stay possible, and
// [Server.URI] still describes one.
func WithTLS() Option {
	return func(o *options) { o.tls = true }
}

// WithSyncReplication makes each commit wait for n replicas before it is acknowledged, as careful users do; it
// changes the order of events: a replica may show a commit that its primary does not show yet.
//
// PostgreSQL waits for ANY n of its standbys to flush (synchronous_standby_names), MySQL for n replicas to
// receive (semi-synchronous replication, AFTER_SYNC), MariaDB likewise, but for one replica only. A commit
// that finds fewer replicas waits, for a day on MySQL and MariaDB. A promoted replica waits for replicas
// of its own. Zero is asynchronous replication, the default.
//
// The members of [StartGalera] and [StartGroup] always agree before a commit: there it is an error.
func WithSyncReplication(n int) Option {
	return func(o *options) {
		if n < 0 {
			o.errs = append(o.errs, fmt.Errorf("integration: WithSyncReplication(%d): less than none", n))
			return
		}
		o.sync = n
	}
}

// WithSetting gives a setting of the server's own, such as "wal_level" or "binlog_format", to
// every server of the cluster. It wins over the package's choice and may be repeated.
func WithSetting(name, value string) Option {
	return func(o *options) {
		if !settingName.MatchString(name) || strings.ContainsAny(value, "\x00\n\r") {
			o.errs = append(o.errs, fmt.Errorf("integration: setting %q: its name has a character that no setting has, or its value a line break", name))
			return
		}
		o.settings = append(o.settings, setting{name, value})
	}
}

var settingName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

// WithPassword sets the password of the ordinary account, app. The default has characters that
// must be escaped in a URI.
func WithPassword(password string) Option {
	return func(o *options) {
		if password == "" || strings.ContainsAny(password, "\x00\n\r") {
			o.errs = append(o.errs, errors.New("integration: the password is empty or has a line break"))
			return
		}
		o.password = newSecret(password)
	}
}

func readOptions(opts []Option) (*options, error) {
	o := &options{password: newSecret(defaultPassword)}
	for _, opt := range opts {
		opt(o)
	}
	return o, errors.Join(o.errs...)
}
