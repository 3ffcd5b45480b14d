package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"
)

// TLSFiles names the PEM files that a client of a cluster [WithTLS] needs. They live until the
// cluster is closed.
type TLSFiles struct {
	CA         string // the authority that signed the servers' and the client's certificates
	ClientCert string // a certificate for the user app, which the servers accept
	ClientKey  string
	OtherCA    string // another authority, of the same name, that has signed none of them
}

// The servers' own files, in the workspace.
const (
	caFile         = "ca.pem"
	otherCAFile    = "other-ca.pem"
	serverCertFile = "server.pem"
	serverKeyFile  = "server-key.pem"
	clientCertFile = "client.pem"
	clientKeyFile  = "client-key.pem"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// writeTLS makes the certificates of a cluster.
func (w *workspace) writeTLS() (TLSFiles, error) {
	files := TLSFiles{
		CA: w.path(caFile), OtherCA: w.path(otherCAFile),
		ClientCert: w.path(clientCertFile), ClientKey: w.path(clientKeyFile),
	}
	ca, err := newAuthority(files.CA)
	if err != nil {
		return TLSFiles{}, err
	}
	_, errOther := newAuthority(files.OtherCA)
	server := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	client := &x509.Certificate{
		Subject:     pkix.Name{CommonName: appUser},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	return files, errors.Join(errOther,
		ca.issue(client, files.ClientCert, files.ClientKey),
		ca.issue(server, w.path(serverCertFile), w.path(serverKeyFile)),
		w.as.give(w.path(serverKeyFile)), // PostgreSQL refuses a key that is not its user's own
	)
}

func newAuthority(certFile string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := validity(&x509.Certificate{
		Subject:  pkix.Name{CommonName: "integration tests"},
		IsCA:     true,
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true,
	})
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, errors.Join(err, writePEM(certFile, "CERTIFICATE", der, 0o644))
}

func (a *authority) issue(template *x509.Certificate, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	cert, err := x509.CreateCertificate(rand.Reader, validity(template), a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return errors.Join(err,
		writePEM(certFile, "CERTIFICATE", cert, 0o644),
		writePEM(keyFile, "PRIVATE KEY", der, 0o600))
}

func validity(c *x509.Certificate) *x509.Certificate {
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore = time.Now().Add(-time.Hour) // clocks differ
	c.NotAfter = time.Now().Add(7 * 24 * time.Hour)
	return c
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
