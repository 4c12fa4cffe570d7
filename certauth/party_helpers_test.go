package certauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// party is a certificate with its key, for certificates that the kit does not issue: names in other
// spellings, arbitrary extensions, keys that are certified again.
type party struct {
	*x509.Certificate

	key *ecdsa.PrivateKey
}

// newRoot, newCA and newClient make the three usual kinds; change is applied last.
func newRoot(t testing.TB, name string, change ...certauthtest.Template) *party {
	t.Helper()
	return issue(t, nil, nil, name, append([]certauthtest.Template{asCA}, change...)...)
}

func (p *party) newCA(t testing.TB, name string, change ...certauthtest.Template) *party {
	t.Helper()
	return issue(t, p, nil, name, append([]certauthtest.Template{asCA}, change...)...)
}

func (p *party) newClient(t testing.TB, change ...certauthtest.Template) *party {
	t.Helper()
	return issue(t, p, nil, "client", append([]certauthtest.Template{asClient}, change...)...)
}

// again certifies the key of a party again.
func (p *party) again(t testing.TB, of *party, change ...certauthtest.Template) *party {
	t.Helper()
	change = append([]certauthtest.Template{asCA, func(c *x509.Certificate) { c.RawSubject, c.SubjectKeyId = of.RawSubject, of.SubjectKeyId }}, change...)
	return issue(t, p, of.key, "", change...)
}

// spelled returns the party with another spelling of its name, for the certificates that it issues.
func (p *party) spelled(name []byte) *party {
	other := *p.Certificate
	other.RawSubject = name
	return &party{&other, p.key}
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.MaxPathLen = true, true, -1
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

func asClient(c *x509.Certificate) {
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

var partySerial = big.NewInt(7000)

func issue(t testing.TB, by *party, key *ecdsa.PrivateKey, name string, change ...certauthtest.Template) *party {
	t.Helper()
	partySerial = new(big.Int).Add(partySerial, big.NewInt(1))
	if key == nil {
		key = newECKey(t, elliptic.P256())
	}
	template := &x509.Certificate{
		SerialNumber: partySerial, Subject: pkix.Name{CommonName: name, Organization: []string{"Partner Ltd"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	for _, f := range change {
		f(template)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	return &party{create(t, template, parent, key.Public(), signer), key}
}

// ext returns an extension with exactly this value.
func ext(critical bool, value []byte, id ...int) certauthtest.Template {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

func seq(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	return tlv(t, asn1.ClassUniversal, asn1.TagSequence, true, parts...)
}

func tlv(t testing.TB, class, tag int, compound bool, parts ...[]byte) []byte {
	t.Helper()
	var content []byte
	for _, part := range parts {
		content = append(content, part...)
	}
	der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: compound, Bytes: content})
	require.NoError(t, err)
	return der
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	require.NoError(t, err)
	return der
}

// nameValue is one value of a name, in the given string type.
type nameValue struct {
	oid  asn1.ObjectIdentifier
	tag  int
	text string
}

var (
	oidCN = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidO  = asn1.ObjectIdentifier{2, 5, 4, 10}
)

func nameOf(t testing.TB, attributes ...nameValue) []byte {
	t.Helper()
	var rdns [][]byte
	for _, a := range attributes {
		value := []byte(a.text)
		if a.tag == asn1.TagBMPString {
			value = nil
			for _, r := range a.text {
				value = append(value, byte(r>>8), byte(r))
			}
		}
		rdns = append(rdns, tlv(t, asn1.ClassUniversal, asn1.TagSet, true, seq(t, marshal(t, a.oid), tlv(t, asn1.ClassUniversal, a.tag, false, value))))
	}
	return seq(t, rdns...)
}

// everyWay judges the certificates as they arrive in a header, from the connection and from a
// function, and requires the same result for each.
func everyWay(t *testing.T, want certauth.Reason, policy certauth.Policy, certs ...*x509.Certificate) *certauth.Error {
	t.Helper()
	var items []string
	for _, cert := range certs {
		items = append(items, base64.StdEncoding.EncodeToString(cert.Raw))
	}
	var last *certauth.Error
	sources := []certauth.Source{fixedSource("function", certs...), certauth.TLS{}, forwarded.Traefik{From: forwarded.InsecureAnyPeer()}}
	for i, source := range sources {
		auth, err := certauth.New(certauth.Config{Source: source, Policy: policy})
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if i == 1 {
			r.TLS = &tls.ConnectionState{PeerCertificates: certs}
		} else {
			r.Header.Set("X-Forwarded-Tls-Client-Cert", strings.Join(items, ","))
		}
		_, err = auth.Check(r)
		assert.Equal(t, want, reasonOf(err), "%T: %v", source, err)
		if err != nil {
			require.ErrorAs(t, err, &last)
		}
	}
	return last
}

func (p *party) roots() certauth.Chain {
	return certauth.Chain{Roots: certauth.Certificates(p.Certificate)}
}

func certsFrom(parties ...*party) interface {
	certauth.CertSource
	certauth.Policy
} {
	var certs []*x509.Certificate
	for _, p := range parties {
		certs = append(certs, p.Certificate)
	}
	return certauth.Certificates(certs...)
}
