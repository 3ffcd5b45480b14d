package pgbind

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds/internal/dburi"
	"github.com/bindery-go/bindery/internal/exposed"
)

const (
	sslDisable    = "disable"
	sslRequire    = "require"
	sslVerifyCA   = "verify-ca"
	sslVerifyFull = "verify-full"

	systemRoots = "system" // sslrootcert=system: the machine's own trust
)

// ofTLS are the parameters that mean nothing without TLS.
var ofTLS = []string{"sslrootcert", "sslcert", "sslkey", "ssl_min_protocol_version", "ssl_max_protocol_version"}

// readTLS reads the parameters of TLS for a server called host, which is on this machine if local.
func (s *settings) readTLS(p *dburi.Params, host string, local bool) {
	root := p.String("sslrootcert", "")
	given := p.Has("sslmode")
	mode := readMode(p, host, root, local)
	s.tls = readTLS(p, host, mode, root)
	for _, file := range []string{root, p.String("sslcert", ""), p.String("sslkey", "")} {
		if file != "" && file != systemRoots {
			s.files = append(s.files, file)
		}
	}
	s.verifies = s.tls != nil && (mode == sslVerifyCA || mode == sslVerifyFull)
	if !given && !local && !s.verifies {
		s.warnings = append(s.warnings, "the URI names no sslmode: the connection is encrypted (sslmode=require), and nothing proves that the server is the right one: "+
			"give sslmode=verify-full, and sslrootcert with the server's authority")
	}
}

// readTLS returns the configuration for a mode. Nil means plain.
func readTLS(p *dburi.Params, host, mode, root string) *tls.Config {
	cert, key := p.String("sslcert", ""), p.String("sslkey", "")
	lowest := p.OneOf("ssl_min_protocol_version", "TLSv1.2", "TLSv1.2", "TLSv1.3")
	highest := p.OneOf("ssl_max_protocol_version", "TLSv1.3", "TLSv1.2", "TLSv1.3")
	if mode == sslDisable {
		for _, name := range ofTLS {
			if p.Has(name) {
				p.Fail("parameter %q has no meaning without TLS", name)
			}
		}
		return nil
	}
	if lowest > highest {
		p.Fail("parameter %q is above %q", "ssl_min_protocol_version", "ssl_max_protocol_version")
	}
	c := &tls.Config{
		MinVersion: tlsVersions[lowest],
		MaxVersion: tlsVersions[highest],
		ServerName: host,
		RootCAs:    readRoots(p, root),
		NextProtos: []string{"postgresql"},
	}
	c.Certificates = readCertificate(p, cert, key)
	switch mode {
	case sslRequire:
		c.InsecureSkipVerify = true
	case sslVerifyCA:
		c.InsecureSkipVerify = true // crypto/tls would check the name too; verifyChain does the rest
		c.VerifyConnection = verifyChain(c.RootCAs)
	}
	return c
}

var tlsVersions = map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

// readMode follows libpq, manual section 34.19, but for its default, prefer.
func readMode(p *dburi.Params, host, root string, local bool) string {
	mode := p.String("sslmode", "")
	switch mode {
	case "":
		mode = sslRequire
		if root == systemRoots && !isSocket(host) {
			mode = sslVerifyFull
		} else if isSocket(host) || local && !slices.ContainsFunc(ofTLS, p.Has) {
			mode = sslDisable
		}
	case "allow", "prefer":
		p.Fail("parameter %q must not be allow or prefer: they fall back to plain text without a word; use require or disable", "sslmode")
	default:
		mode = p.OneOf("sslmode", sslRequire, sslDisable, sslRequire, sslVerifyCA, sslVerifyFull)
	}
	if isSocket(host) && mode != sslDisable {
		p.Fail("parameter %q must be disable for a Unix socket: PostgreSQL has no TLS there", "sslmode")
	}
	switch {
	case root == systemRoots && (mode == sslRequire || mode == sslVerifyCA):
		p.Fail("sslrootcert=system needs sslmode=verify-full: anybody may have a certificate of a public authority")
	case root != "" && mode == sslRequire:
		return sslVerifyCA
	case root == "" && mode == sslVerifyCA:
		p.Fail("sslmode=verify-ca needs sslrootcert: anybody may have a certificate of a public authority")
	}
	return mode
}

// readRoots returns nil, which means the system's, for "" and "system".
func readRoots(p *dburi.Params, file string) *x509.CertPool {
	if file == "" || file == systemRoots {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		p.Fail("parameter %q: %w", "sslrootcert", errors.Unwrap(err))
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		p.Fail("parameter %q: the file holds no certificate in PEM form", "sslrootcert")
	}
	return pool
}

func readCertificate(p *dburi.Params, cert, key string) []tls.Certificate {
	if cert == "" && key == "" {
		return nil
	}
	if cert == "" || key == "" {
		p.Fail("parameters %q and %q belong together", "sslcert", "sslkey")
		return nil
	}
	if exposed.File(key) {
		p.Fail("parameter %q: others than its owner can read the file, which libpq refuses, too: %s", "sslkey", exposed.Cure)
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		var file *os.PathError
		if errors.As(err, &file) {
			err = file.Err
		}
		p.Fail("parameters %q and %q: %w", "sslcert", "sslkey", err)
		return nil
	}
	return []tls.Certificate{pair}
}

// verifyChain checks that a certificate comes from roots, whatever its name. It is a
// VerifyConnection and not a VerifyPeerCertificate, which resumed sessions skip.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
}

// codeNotAuthorized is invalid_authorization_specification, manual appendix A.
const codeNotAuthorized = "28000"

// explainPlain adds the cure to a server's refusal of a log-in without TLS. Its message may be in the server's language, but for what
// pg_hba.conf calls such connections.
func (s *settings) explainPlain(err error) error {
	var answer pgdriver.Error
	if s.tls != nil || s.network == "unix" || !errors.As(err, &answer) || answer.Field('C') != codeNotAuthorized || !strings.Contains(answer.Field('M'), "pg_hba.conf") {
		return err
	}
	return fmt.Errorf("%w (the connection is not encrypted: where pg_hba.conf says hostssl, give sslmode=verify-full)", err)
}
