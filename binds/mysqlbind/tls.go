package mysqlbind

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/bindery-go/bindery/binds/internal/dburi"
	"github.com/bindery-go/bindery/binds/internal/peer"
	"github.com/bindery-go/bindery/internal/exposed"
)

// The values of ssl-mode are those of the mysql client. It has a fifth, PREFERRED, which gives up
// encryption when the server, or somebody in between, says so: it is not offered.
const (
	sslDisabled       = "DISABLED"
	sslRequired       = "REQUIRED"
	sslVerifyCA       = "VERIFY_CA"
	sslVerifyIdentity = "VERIFY_IDENTITY"
)

// setTLS reads the ssl-… parameters. The configuration belongs to this connector alone: nothing is
// put into the MySQL driver's global register.
func (s *settings) setTLS(u *dburi.URI) {
	p, cfg := u.Params, s.config
	local := cfg.Net == "unix" || u.Host == "" || peer.IsLocalHost(u.Host)
	def := sslRequired
	if local {
		def = sslDisabled
	}
	mode := p.OneOf("ssl-mode", def, sslDisabled, sslRequired, sslVerifyCA, sslVerifyIdentity)
	if !p.Has("ssl-mode") && !local {
		s.warnings = append(s.warnings, "the URI names no ssl-mode: the connection is encrypted (ssl-mode=REQUIRED), and nothing proves that the server is the right one: "+
			"give ssl-mode=VERIFY_IDENTITY, and ssl-ca with the server's authority")
	}
	verifies := mode == sslVerifyCA || mode == sslVerifyIdentity
	ca, cert, key := p.String("ssl-ca", ""), p.String("ssl-cert", ""), p.String("ssl-key", "")
	cfg.AllowCleartextPasswords = p.Bool("enable-cleartext-plugin", false)
	switch {
	case cfg.AllowCleartextPasswords && !verifies && !local:
		p.Fail(`parameter "enable-cleartext-plugin" sends the password as it is: give ssl-mode=VERIFY_IDENTITY with it`)
	case mode == sslDisabled && (ca != "" || cert != "" || key != ""):
		p.Fail(`parameters "ssl-ca", "ssl-cert" and "ssl-key" do nothing without ssl-mode: give ssl-mode=VERIFY_IDENTITY`)
	case ca != "" && !verifies:
		p.Fail(`parameter "ssl-ca" does nothing with ssl-mode=REQUIRED: give ssl-mode=VERIFY_IDENTITY`)
	case (cert == "") != (key == ""):
		p.Fail(`parameters "ssl-cert" and "ssl-key" belong together`)
	case mode == sslVerifyIdentity && cfg.Net == "unix":
		p.Fail(`parameter "ssl-mode" cannot be VERIFY_IDENTITY on a socket, which has no host name: give VERIFY_CA or leave it out`)
	case mode != sslDisabled:
		s.guard.tls, s.guard.verifies = newTLSConfig(mode, u.Host), verifies
		loadRoots(s.guard.tls, p, ca)
		loadCertificate(s.guard.tls, p, cert, key)
		if key != "" && exposed.File(key) {
			s.warnings = append(s.warnings, "others than its owner can read the file of ssl-key: "+exposed.Cure)
		}
	}
	s.guard.key = readServerKey(p, mode != sslDisabled)
	for _, file := range []string{ca, cert, key, p.String("serverPubKey", "")} {
		if file != "" {
			s.files = append(s.files, file)
		}
	}
}

func newTLSConfig(mode, host string) *tls.Config {
	if host == "" {
		host = "localhost"
	}
	// A zone is this machine's business and stands in no certificate.
	host, _, _ = strings.Cut(host, "%")
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	switch mode {
	case sslRequired:
		c.InsecureSkipVerify = true // what REQUIRED means: encrypt, to whomever
	case sslVerifyCA:
		// crypto/tls verifies chain and name together or not at all, so the chain is verified here.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(c.RootCAs, state) }
	}
	return c
}

// verifyChain is what crypto/tls does by itself, the host name apart.
func verifyChain(roots *x509.CertPool, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("mysqlbind: the server shows no certificate")
	}
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(opts)
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

func loadRoots(c *tls.Config, p *dburi.Params, file string) {
	if file == "" {
		return // the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		p.Fail(`the file of parameter "ssl-ca" cannot be read: %w`, withoutPath(err))
		return
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		p.Fail(`the file of parameter "ssl-ca" holds no certificate in PEM form`)
	}
}

func loadCertificate(c *tls.Config, p *dburi.Params, cert, key string) {
	if cert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		p.Fail(`the files of parameters "ssl-cert" and "ssl-key" do not load: %w`, withoutPath(err))
		return
	}
	c.Certificates = []tls.Certificate{pair}
}

// withoutPath drops the path from an error: values of parameters stay out of errors.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
