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
