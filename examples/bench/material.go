package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

const (
	certificateHeader = "X-ARR-ClientCert"
	partnerName       = "orders.partner.example"
)

// kinds are the client's keys. The CAs of certauthtest have P-256 keys, so the signatures
// of a chain are the same for both.
var kinds = []string{"p256", "rsa2048"}

// material is what every server reads from one folder, whatever it is written in.
type material struct {
	root, issuing, leaf *x509.Certificate
}

// newMaterial writes root.pem, issuing.pem and leaf.pem into dir.
func newMaterial(tb certauthtest.TB, dir, kind string) (material, error) {
	tb.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("kind %q, want one of %q", kind, kinds)
	}
	if err != nil {
		return material{}, err
	}
	root := certauthtest.NewCA(tb, "Partner Root CA")
	issuing := root.NewIntermediate(tb, "Partner Issuing CA 1")
	leaf := issuing.IssueFor(tb, key, "Partner Orders",
		certauthtest.DNS(partnerName, "billing.partner.example"),
		certauthtest.OCSPAt("http://ocsp.partner.example"),
		certauthtest.CRLAt("http://crl.partner.example/issuing1.crl"))
	for name, text := range map[string][]byte{"root.pem": root.PEM(), "issuing.pem": issuing.PEM(), "leaf.pem": leaf.PEM()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return material{}, err
		}
	}
	return material{root: root.Certificate, issuing: issuing.Certificate, leaf: leaf.Certificate}, nil
}

func readMaterial(dir string) (material, error) {
	var m material
	for name, into := range map[string]**x509.Certificate{"root.pem": &m.root, "issuing.pem": &m.issuing, "leaf.pem": &m.leaf} {
		text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // the driver names the folder
		if err != nil {
			return material{}, err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return material{}, fmt.Errorf("%s: no PEM block", name)
		}
		if *into, err = x509.ParseCertificate(block.Bytes); err != nil {
			return material{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

// header is what App Service would write for the client.
func (m material) header() string { return base64.StdEncoding.EncodeToString(m.leaf.Raw) }
