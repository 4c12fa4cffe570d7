package nameconstraints_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
)

// encoding/asn1, without bounds, accepts everything that is read here as NameConstraints too, and
// any alternative names can be compared with it.
func FuzzParse(f *testing.F) {
	for _, seed := range [][]byte{
		nil,
		{0x30, 0},
		{0x30, 2, 0xA0, 0},
		{0x30, 0x80, 0, 0},
		constraints(permitted(dns("a.example"))).Value,
		constraints(permitted(dir(directory(f, utf8Text, "O=a"))), excluded(email("a@b"), uri(".c"), ip(10, 0, 0, 0, 255, 0, 0, 0))).Value,
		constraints(excluded(upn("a@b"), x400, ediParty, registry)).Value, wrap(0x30, wrap(0xA0, wrap(0x30, dns("a"), []byte{0x80, 1, 0}))),
		wrap(0x30, wrap(0xA0, wrap(0x30, dns("a"), []byte{0x81, 1, 0}))), wrap(0x30, wrap(0xA1, wrap(0x30, dns("a"))), wrap(0xA0, wrap(0x30, dns("b")))),
		wrap(0x30, wrap(0xA0, wrap(0x30, wrap(0xA4, []byte{5, 0})))), wrap(0x30, wrap(0xA0, wrap(0x30, wrap(0xA0)))),
	} {
		f.Add(seed, altNames(dns("a.example"), email("a@b"), uri("urn:a"), ip(10, 0, 0, 1), upn("a@b"), dir(directory(f, utf8Text, "O=a")), x400, registry).Value)
		f.Add(seed, []byte{0x30, 4, 0xA0, 0, 0x82, 0})
	}
	f.Fuzz(func(t *testing.T, value, alt []byte) {
		named := cert(directory(t, utf8Text, "CN=client"), nil, pkix.Extension{Id: oidAltName, Value: alt})
		verdict := check([]*x509.Certificate{named, cert(nil, nil, pkix.Extension{Id: oidConstraints, Value: value})})
		if verdict != nil {
			checkText(t, verdict)
		}
		parsed, err := nameconstraints.Parse(value)
		if err != nil {
			assert.Nil(t, parsed)
			require.ErrorContains(t, verdict, err.Error())
			return
		}
		var fields asn1Constraints
		rest, err := asn1.Unmarshal(value, &fields)
		require.NoError(t, err)
		assert.Empty(t, rest)
		assert.NotEmpty(t, append(fields.Permitted, fields.Excluded...))
		for _, tree := range append(fields.Permitted, fields.Excluded...) {
			assert.Equal(t, asn1.ClassContextSpecific, tree.Base.Class)
			assert.LessOrEqual(t, tree.Base.Tag, 8)
			assert.Zero(t, tree.Minimum)
			assert.Equal(t, -1, tree.Maximum)
		}
		require.NoError(t, parsed.Check(cert([]byte{0x30, 0}, nil)), "a certificate without names is within every constraint")
		assert.Equal(t, verdict == nil, parsed.Check(named) == nil)
	})
}

// asn1Constraints is the syntax of RFC 5280, section 4.2.1.10.
type asn1Constraints struct {
	Permitted []asn1Subtree `asn1:"optional,tag:0"`
	Excluded  []asn1Subtree `asn1:"optional,tag:1"`
}

type asn1Subtree struct {
	Base    asn1.RawValue
	Minimum int `asn1:"optional,tag:0"`
	Maximum int `asn1:"optional,tag:1,default:-1"`
}

func checkText(t *testing.T, err error) {
	t.Helper()
	assert.Less(t, len(err.Error()), 1000)
	assert.Equal(t, -1, strings.IndexFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }), "%q", err)
}

// Verdicts are those of crypto/x509 for the forms that it supports. The permitted differences are:
//
//   - In a constraint on e-mail addresses or URIs, a host without a leading dot is only that host
//     (RFC 5280, section 4.2.1.10). To crypto/x509 it also denotes the hosts below.
//   - Bits of an address beyond its mask are ignored. crypto/x509 includes them in its search and
//     can miss an excluded subtree.
//   - Names that cannot be compared are refused here. crypto/x509 compares them differently or not
//     at all: names that are neither host names nor plain mailboxes, IPv4 addresses in IPv6 form,
//     and bases that are not domains.
//
// Bases and names of one form are given as lists separated by bars.
func FuzzCheck(f *testing.F) {
	const mail, host, address, octets = 0, 1, 2, 3
	forms := []func(string) []byte{email, dns, uri, func(s string) []byte { return ip([]byte(s)...) }}
	for _, seed := range []struct {
		form         byte
		bases, names string
	}{
		{host, "host.example|.a.example", "www.HOST.example|x.a.example"},
		{host, "host.example|.a.example", "a.example|ghost.example"},
		{host, "www.host.example", "*.host.example|*.example"},
		{host, "a-b.example|a.example|b.a.example|A.B.EXAMPLE", "x.a-b.example|b.example|b.a.EXAMPLE"},
		{host, "", "a"},
		{host, "", "a.|a b|*a.b|.a"},
		{mail, "host.example|a@b.example|.c.example", "x@www.host.example|a@B.example|x@c.example"},
		{mail, "host.example|a@b.example|.c.example", "x@host.example|A@b.example|x@y.c.example"},
		{mail, "", "\"a b\"@c|a@b"},
		{address, "host.example|.c.example", "https://u@www.host.example:1/|spiffe://c.example/x"},
		{address, "host.example|.c.example", "https://HOST.example/|spiffe://d.c.example/x"},
		{address, "host.example", "urn:a|https://10.0.0.1/|https://host.example|file:///a"},
		{octets, "\x0a\x00\x00\x00\xff\x80\x00\x00|\x0a\xc8\x00\x00\xff\xff\x00\x00", "\x0a\x7f\x00\x01|\x0a\xc8\x01\x01"},
		{octets, strings.Repeat("\x00", 32), "\x0a\x00\x00\x01|" + strings.Repeat("\x01", 16)},
		{octets, strings.Repeat("\x00", 8), strings.Repeat("\x00", 10) + "\xff\xff\x0a\x00\x00\x01"},
	} {
		f.Add(seed.form, seed.bases, "", seed.names)
		f.Add(seed.form, "-", seed.bases, seed.names)
		f.Add(seed.form, seed.bases, seed.bases, seed.names)
	}
	signer := newSigner(f)
	f.Fuzz(func(t *testing.T, kind byte, permittedBases, excludedBases, names string) {
		if len(permittedBases)+len(excludedBases)+len(names) > 2000 {
			return
		}
		write := forms[int(kind)%len(forms)]
		elements := func(list string) (all [][]byte) {
			for one := range strings.SplitSeq(list, "|") {
				all = append(all, write(one))
			}
			return all
		}
		var fields []byte
		if permittedBases != "-" {
			fields = permitted(elements(permittedBases)...)
		}
		if excludedBases != "-" {
			fields = append(fields, excluded(elements(excludedBases)...)...)
		}
		ca, leaf := signer.issue(constraints(fields).Value, altNames(elements(names)...).Value)
		if ca == nil || leaf == nil {
			return // crypto/x509 does not even read them
		}
		if slices.ContainsFunc(slices.Concat(ca.PermittedIPRanges, ca.ExcludedIPRanges), hasBitsBeyondMask) {
			return
		}
		refused := signer.refuses(t, ca, leaf)
		err := check([]*x509.Certificate{leaf, ca})
		switch {
		case refused && err == nil:
			assert.True(t, hostBelow(ca.ExcludedEmailAddresses, ca.ExcludedURIDomains, leaf), "crypto/x509 refuses")
		case !refused && err != nil:
			checkText(t, err)
			if strings.Contains(err.Error(), string(unreadable)) || strings.Contains(err.Error(), string(notApplied)) {
				return
			}
			assert.True(t, hostBelow(ca.PermittedEmailAddresses, ca.PermittedURIDomains, leaf), "crypto/x509 accepts: %v", err)
		}
	})
}

func hasBitsBeyondMask(network *net.IPNet) bool {
	return !network.IP.Equal(network.IP.Mask(network.Mask))
}

// hostBelow reports whether a name has a host below one that a constraint gives without a leading
// dot.
func hostBelow(emails, uris []string, leaf *x509.Certificate) bool {
	below := func(constraints []string, host string) bool {
		for _, constraint := range constraints {
			if !strings.HasPrefix(constraint, ".") && strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(constraint)) {
				return true
			}
		}
		return false
	}
	for _, address := range leaf.EmailAddresses {
		if below(emails, address[strings.LastIndexByte(address, '@')+1:]) {
			return true
		}
	}
	for _, one := range leaf.URIs {
		if below(uris, one.Hostname()) {
			return true
		}
	}
	return false
}

// signer issues certificates of one CA key.
type signer struct {
	key *ecdsa.PrivateKey
	now time.Time
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &signer{key, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// issue returns a CA with the constraints and a leaf with the alternative names. They are nil if
// crypto/x509 cannot read what it has written.
func (s *signer) issue(value, alt []byte) (ca, leaf *x509.Certificate) {
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: s.now, NotAfter: s.now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtraExtensions: []pkix.Extension{{Id: oidConstraints, Value: value}},
	}
	ca = s.sign(&template, &template)
	template = x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "client"}, NotBefore: s.now, NotAfter: s.now.Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: oidAltName, Value: alt}},
	}
	return ca, s.sign(&template, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, PublicKey: s.key.Public()})
}

func (s *signer) sign(template, parent *x509.Certificate) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, s.key.Public(), s.key)
	if err != nil {
		return nil
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return parsed
}

// refuses reports whether crypto/x509 refuses the leaf because of its names.
func (s *signer) refuses(t *testing.T, ca, leaf *x509.Certificate) bool {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: s.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err == nil {
		return false
	}
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, x509.CANotAuthorizedForThisName, invalid.Reason, "%v", err)
	return true
}
