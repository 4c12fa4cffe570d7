package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// cca #221: 16 KB of commas cost 80 ms. Front ends row 18, the limits of the core: ten certificates
// in total, 16 KiB of DER each, a thousand names.
func TestLimits_SizeAndCountAreCheckedFirst(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	times := func(n int, cert *x509.Certificate) []*x509.Certificate {
		list := []*x509.Certificate{leaf}
		for len(list) < n {
			list = append(list, cert)
		}
		return list
	}
	sized := func(size int) *x509.Certificate {
		filler := func(n int) *x509.Certificate {
			return w.issue(t, withExtension("1.3.6.1.4.1.99999.9", append([]byte{4, 0x82, byte(n >> 8), byte(n)}, make([]byte, n)...)))
		}
		const first = 15 << 10
		n := first
		for range 50 { // signatures and serial numbers vary by a byte or two
			cert := filler(n)
			if len(cert.Raw) == size {
				return cert
			}
			n += size - len(cert.Raw)
		}
		require.Fail(t, "no certificate of that size")
		return nil
	}
	named := func(n int) *x509.Certificate {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%d.a", i)
		}
		return w.issue(t, certauthtest.DNS(names...))
	}
	unparsed := &x509.Certificate{Raw: make([]byte, 16<<10+1)}
	for _, tc := range []struct {
		name string
		sent []*x509.Certificate
		want certauth.Reason
	}{
		{"none", nil, certauth.ReasonCertificateMissing},
		{"an empty list", []*x509.Certificate{}, certauth.ReasonCertificateMissing},
		{"ten", times(10, w.issue(t)), certauth.ReasonNone},
		{"eleven", times(11, w.issue(t)), certauth.ReasonCertificateMalformed},
		{"eleven copies of one", times(11, leaf), certauth.ReasonCertificateMalformed},
		{"a hundred thousand", times(100_000, leaf), certauth.ReasonCertificateMalformed},
		{"16 KiB", []*x509.Certificate{sized(16 << 10)}, certauth.ReasonNone},
		{"16 KiB and a byte", []*x509.Certificate{sized(16<<10 + 1)}, certauth.ReasonCertificateMalformed},
		{"16 KiB and a byte sent along", []*x509.Certificate{leaf, sized(16<<10 + 1)}, certauth.ReasonCertificateMalformed},
		{"16 KiB and a byte of nothing", []*x509.Certificate{unparsed}, certauth.ReasonCertificateMalformed},
		{"1000 names", []*x509.Certificate{named(1000)}, certauth.ReasonNone},
		{"1001 names", []*x509.Certificate{named(1001)}, certauth.ReasonCertificateMalformed},
		{"nil among them", []*x509.Certificate{leaf, nil}, certauth.ReasonCertificateMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := judge(t, w.chain(), tc.sent...)
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
		})
	}
	t.Run("before any rule is asked", func(t *testing.T) {
		asked := false
		rule := certauth.PolicyFunc{Name: "x", Func: func(context.Context, *certauth.Identity) error { asked = true; return nil }}
		_, err := judge(t, w.behind(rule), times(11, leaf)...)
		assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
		assert.False(t, asked)
	})
}

// A SourceFunc may return an unparsed certificate: it is refused even if crypto/x509 could read it,
// and the refusal says which of the two is the case.
func TestLimits_WhatNobodyParsedIsRefused(t *testing.T) {
	w := newWorld(t)
	for der, want := range map[string]string{
		string(w.leaf.Raw):                     "not parsed",
		string(w.leaf.Raw[:len(w.leaf.Raw)-1]): "",
		string(unreadable(t, w)):               "the certificate cannot be read",
	} {
		_, err := judge(t, w.chain(), &x509.Certificate{Raw: []byte(der)})
		assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
		assert.ErrorContains(t, err, want)
	}
}

// unreadable returns the leaf with a version that crypto/x509 does not read.
func unreadable(t *testing.T, w world) []byte {
	t.Helper()
	return overwritten(t, w.leaf.Raw, "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x09")
}

// A hint says what the certificate is for instead: enough to find it, however long the list is.
func TestUsages_OfALongListTheFirstAreNamed(t *testing.T) {
	w := newWorld(t)
	known := []x509.ExtKeyUsage{
		x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageOCSPSigning,
	}
	unknown := []asn1.ObjectIdentifier{{1, 3, 99, 1}, {1, 3, 99, 2}, {1, 3, 99, 3}, {1, 3, 99, 4}, {1, 3, 99, 5}}
	words := func(known []x509.ExtKeyUsage, unknown []asn1.ObjectIdentifier) string {
		leaf := w.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage, c.UnknownExtKeyUsage = known, unknown })
		_, err := judge(t, certauth.Certificates(leaf), leaf)
		require.Equal(t, certauth.ReasonUsageNotAllowed, reasonOf(err))
		return err.Error()
	}
	for n := 1; n <= 5; n++ {
		all := words(known[:n], unknown[:n])
		for i := range 5 {
			named := i < n && i < 4
			assert.Equal(t, named, strings.Contains(all, known[i].String()), "%d: %s", n, all)
			assert.Equal(t, named, strings.Contains(all, unknown[i].String()), "%d: %s", n, all)
		}
	}
	assert.NotContains(t, words(known[:1], nil), "none")
}
