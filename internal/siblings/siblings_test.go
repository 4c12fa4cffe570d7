package siblings

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/randomly"
)

// A certificate that shares values with a sibling is what crypto/x509 reads from its DER, and so is
// the sibling, whatever the two have in common.
func TestSiblings_SharingChangesNoContent(t *testing.T) {
	seed, count := randomly.Seed(t, 1000)
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "Issuing CA", Organization: []string{"Partner Ltd"}, Country: []string{"DE"}}}
	issue := func() *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, randomTemplate(r), issuer, key.Public(), key)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert
	}
	asParsed := func(cert *x509.Certificate) {
		again, err := x509.ParseCertificate(cert.Raw)
		require.NoError(t, err)
		require.Equal(t, again, cert, "seed %d", seed)
	}
	shared := 0
	for range count {
		first, second := issue(), issue()
		var s Set
		s.Keep(first)
		s.Share(second)
		asParsed(first)
		asParsed(second)
		if &first.Issuer.Names[0] == &second.Issuer.Names[0] {
			shared++
		}
	}
	assert.Equal(t, count, shared)
}

// All values that two certificates of one CA have in common take their memory once.
func TestSiblings_WhatIsEqualIsShared(t *testing.T) {
	ca := certauthtest.NewCA(t, "Issuing CA")
	policy, err := x509.ParseOID("2.23.140.1.2.1")
	require.NoError(t, err)
	first := ca.Issue(t, "client", certauthtest.Template(func(c *x509.Certificate) {
		c.Subject.Country, c.Subject.Organization, c.Subject.OrganizationalUnit = []string{"DE"}, []string{"Partner Ltd"}, []string{"Orders"}
		c.Subject.Locality, c.Subject.Province = []string{"Frankfurt"}, []string{"Hessen"}
		c.OCSPServer, c.IssuingCertificateURL = []string{"http://ocsp.example"}, []string{"http://ca.example"}
		c.CRLDistributionPoints, c.Policies = []string{"http://crl.example"}, []x509.OID{policy}
	})).Certificate
	second, err := x509.ParseCertificate(first.Raw)
	require.NoError(t, err)
	var s Set
	s.Keep(first)
	s.Share(second)
	texts := func(c *x509.Certificate) (places []*byte) {
		all := slices.Concat(c.Subject.Country, c.Subject.Organization, c.Subject.OrganizationalUnit, c.Subject.Locality, c.Subject.Province,
			c.OCSPServer, c.IssuingCertificateURL, c.CRLDistributionPoints)
		for _, name := range c.Subject.Names {
			text, ok := name.Value.(string)
			require.True(t, ok)
			all = append(all, text)
		}
		for _, text := range all {
			places = append(places, unsafe.StringData(text))
		}
		return places
	}
	ids := func(c *x509.Certificate) (places []*int) {
		for _, name := range c.Subject.Names {
			places = append(places, &name.Type[0])
		}
		for _, e := range c.Extensions {
			places = append(places, &e.Id[0])
		}
		for _, id := range c.PolicyIdentifiers {
			places = append(places, &id[0])
		}
		return places
	}
	require.Len(t, texts(first), 8+6)
	require.Len(t, first.PolicyIdentifiers, 1)
	for i, place := range texts(first) {
		assert.Same(t, place, texts(second)[i], "text %d", i)
	}
	for i, place := range ids(first) {
		assert.Same(t, place, ids(second)[i], "identifier %d", i)
	}
}

// randomTemplate returns a certificate whose fields are often those of another one, at the same place
// or at another.
func randomTemplate(r *mathrand.Rand) *x509.Certificate {
	some := func(values ...string) (chosen []string) {
		for _, value := range values {
			if r.IntN(2) == 0 {
				chosen = append(chosen, value)
			}
		}
		r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		return chosen
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(r.Int64N(1<<40) + 1),
		Subject: pkix.Name{
			CommonName: "client", Country: some("DE", "FR"), Organization: some("Partner Ltd", "Orders", "DE"), OrganizationalUnit: some("Orders", "Billing"),
			Locality: some("Frankfurt", "Paris"), Province: some("Hessen"), StreetAddress: some("1 Main Street"),
		},
		OCSPServer: some("http://ocsp.example", "http://ocsp2.example"), IssuingCertificateURL: some("http://ca.example", "http://ocsp.example"),
		CRLDistributionPoints: some("http://crl.example/1", "http://crl.example/2"), DNSNames: some("orders.example"),
	}
	for _, text := range some("2.23.140.1.2.1", "1.3.6.1.4.1.99999.1", "2.5.29.32.0") {
		id, err := x509.ParseOID(text)
		if err == nil {
			t.Policies = append(t.Policies, id)
		}
	}
	for range r.IntN(3) {
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, len(t.ExtraExtensions) + r.IntN(2)*7}, Value: []byte{5, 0}})
	}
	return t
}

// The number of issuers is bounded.
func TestSet_KeepsABoundedNumber(t *testing.T) {
	var s Set
	for range maxSiblings + 1 {
		s.Keep(certauthtest.SelfSigned(t, rand.Text()).Certificate)
	}
	assert.Len(t, s.known, maxSiblings)
}
