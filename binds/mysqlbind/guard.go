package mysqlbind

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/internal/dburi"
)

// Plugins of authentication by which a server may get the password itself.
const (
	pluginClear       = "mysql_clear_password"
	pluginSHA256      = "sha256_password"
	pluginCachingSHA2 = "caching_sha2_password"
	pluginNative      = "mysql_native_password" // which never has it
	fullLogin         = 4                       // of caching_sha2_password: the server has no hash at hand, and wants the password
	fastLogin         = 3                       // it had one
)

// A guard knows to whom the password may be told. It is never changed after parse.
type guard struct {
	tls      *tls.Config         // nil: plain
	verifies bool                // TLS proves that the server is the right one
	key      *rsa.PublicKey      // the server's, of serverPubKey; nil: none is known
	local    func(net.Addr) bool // whether what is sent there stays on this machine
}

// proved reports whether the peer is verified, or on this machine.
func (g *guard) proved(o *opening) bool {
	return g.verifies || g.local(o.RemoteAddr())
}

const cureVerify = "give ssl-mode=VERIFY_IDENTITY, and ssl-ca with the server's authority"

// judgeSwitch judges a server's wish for another plugin, to which the MySQL driver answers at once.
func (g *guard) judgeSwitch(o *opening) error {
	switch {
	case g.proved(o):
	case o.plugin == pluginClear:
		return withhold("the password in clear text ("+pluginClear+")", cureVerify+"; and enable-cleartext-plugin=1")
	case o.plugin == pluginSHA256:
		return g.withholdRSA(o)
	}
	return nil
}

// judgeMore judges what the server says about a plugin's login.
func (g *guard) judgeMore(o *opening, data []byte) error {
	if g.proved(o) || len(data) == 1 && data[0] == fastLogin {
		return nil
	}
	if len(data) == 1 && data[0] == fullLogin || o.plugin == pluginSHA256 || len(data) > 1 {
		if len(data) > 1 {
			return withhold("the password, encrypted with a key that it offers itself", cureKey) // whether a key is known or not
		}
		return g.withholdRSA(o)
	}
	return nil
}

const cureKey = cureVerify + "; or, without TLS (ssl-mode=DISABLED), serverPubKey with a file of the server's public key"

// withholdRSA is nil where the password can be encrypted with a key that is known.
func (g *guard) withholdRSA(o *opening) error {
	switch {
	case o.tls != nil:
		return withhold("the password itself ("+o.plugin+")", cureVerify)
	case g.key != nil:
		return nil
	}
	return withhold("the password, encrypted with a key that it offers itself ("+o.plugin+")", cureKey)
}

func withhold(asked, cure string) error {
	return &binds.PasswordWithheldError{Driver: "mysqlbind", Asked: asked, Cure: cure}
}

// readServerKey reads the file of serverPubKey, which is what mysql's --server-public-key-path takes.
func readServerKey(p *dburi.Params, encrypted bool) *rsa.PublicKey {
	file := p.String("serverPubKey", "")
	switch {
	case !p.Has("serverPubKey"):
		return nil
	case encrypted:
		p.Fail(`parameter "serverPubKey" does nothing under TLS, where the server wants the password itself: give ssl-mode=VERIFY_IDENTITY instead of it, or ssl-mode=DISABLED with it`)
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		p.Fail(`the file of parameter "serverPubKey" cannot be read: %w`, withoutPath(err))
		return nil
	}
	key, err := parseServerKey(text)
	if err != nil {
		p.Fail(`the file of parameter "serverPubKey": %w`, err)
	}
	return key
}

func parseServerKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it holds no key in PEM form (the server tells its own: SHOW STATUS LIKE 'Caching_sha2_password_rsa_public_key')")
	}
	if block.Type == "RSA PUBLIC KEY" {
		if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return key, nil
		}
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if rsaKey, ok := key.(*rsa.PublicKey); ok && err == nil {
		return rsaKey, nil
	}
	return nil, errors.New("it holds no public RSA key: give the server's public_key.pem")
}
