//go:build ignore

// Make writes the vectors of this folder. It needs Go 1.27:
//
//	go run ./testdata/mldsa/make.go
//
// The roots are the example certificates of RFC 9881, Appendix C.3. Their keys are made from
// the seed that Appendix C.1 prints for all three, 00 01 02 ... 1f. What is below them is made
// here, by crypto/x509 and internal/ocsptest.
package main

import (
	"bytes"
	"crypto/mldsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"log"
	"math/big"
	"os"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

var (
	from = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to   = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
)

func main() {
	log.SetFlags(0)
	for _, one := range []struct {
		name       string
		parameters mldsa.Parameters
		last       int
	}{{"44", mldsa.MLDSA44(), 17}, {"65", mldsa.MLDSA65(), 18}, {"87", mldsa.MLDSA87(), 19}} {
		root, key := rootOf("testdata/mldsa/rfc9881-"+one.name+".pem", one.parameters)
		client, err := mldsa.GenerateKey(one.parameters)
		check(err)
		leaf := create(&x509.Certificate{
			SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "orders", Organization: []string{"Partner"}},
			NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, DNSNames: []string{"orders.partner.example"},
			OCSPServer: []string{"http://ocsp.partner.example/"}, CRLDistributionPoints: []string{"http://crl.partner.example/root.crl"},
		}, root, client.Public(), key)

		identifier := ocsptest.Identifier(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, one.last}, nil)
		response, err := ocsptest.Response{
			Responder: ocsptest.ByName(root.RawSubject), ProducedAt: ocsptest.At(from.AddDate(0, 0, 1)), Key: key,
			Algorithm: ocsptest.Algorithm{Identifier: identifier},
			Answers: []ocsptest.Answer{{
				ID: ocsptest.IDOf(5, root, leaf.SerialNumber), Status: ocsptest.StatusGood, // 5: crypto.SHA256
				ThisUpdate: ocsptest.At(from.AddDate(0, 0, 1)), NextUpdate: ocsptest.At(from.AddDate(0, 0, 8)),
			}},
		}.Encode()
		check(err)
		list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: from.AddDate(0, 0, 1), NextUpdate: from.AddDate(0, 0, 8),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(4712), RevocationTime: from}},
		}, root, key)
		check(err)

		var out bytes.Buffer
		for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: leaf.Raw}, {Type: "OCSP RESPONSE", Bytes: response}, {Type: "X509 CRL", Bytes: list}} {
			check(pem.Encode(&out, block))
		}
		check(os.WriteFile("testdata/mldsa/made-"+one.name+".pem", out.Bytes(), 0o600))
	}
}

func rootOf(file string, parameters mldsa.Parameters) (*x509.Certificate, *mldsa.PrivateKey) {
	text, err := os.ReadFile(file)
	check(err)
	block, _ := pem.Decode(text)
	root, err := x509.ParseCertificate(block.Bytes)
	check(err)
	seed := make([]byte, mldsa.PrivateKeySize)
	for i := range seed {
		seed[i] = byte(i)
	}
	key, err := mldsa.NewPrivateKey(parameters, seed)
	check(err)
	if !key.PublicKey().Equal(root.PublicKey) {
		log.Fatalf("%s has another key", file)
	}
	return root, key
}

func create(template, parent *x509.Certificate, public any, key *mldsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	check(err)
	cert, err := x509.ParseCertificate(der)
	check(err)
	return cert
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
