package certauth_test

import (
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// patched is a certificate with the first of a text of bytes replaced: the parser decides
// what becomes of it, the signature no longer holds.
func patched(t testing.TB, cert *x509.Certificate, old, replacement string) []byte {
	t.Helper()
	require.Contains(t, string(cert.Raw), old)
	require.Len(t, replacement, len(old))
	return []byte(strings.Replace(string(cert.Raw), old, replacement, 1))
}

// unusable are certificates as real clients send them along, which crypto/x509 does not read
// or this library does not use.
func unusable(t testing.TB) map[string][]byte {
	t.Helper()
	root := newRoot(t, "Old Root", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x4321) })
	weak := issue(t, root, nil, "Weak")
	rsa1024 := create(t, &x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: root.NotBefore, NotAfter: root.NotAfter, BasicConstraintsValid: true, IsCA: true},
		root.Certificate, &rsa.PublicKey{N: oddNumber(1024), E: 65537}, root.key)
	p224 := create(t, &x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: root.NotBefore, NotAfter: root.NotAfter, BasicConstraintsValid: true, IsCA: true},
		root.Certificate, newECKey(t, elliptic.P224()).Public(), root.key)
	return map[string][]byte{
		"negative serial number":               patched(t, root.Certificate, "\x02\x02\x43\x21", "\x02\x02\x95\x21"),
		"version 1":                            patched(t, weak.Certificate, "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x00"),
		"an unknown curve":                     patched(t, root.Certificate, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", "\x06\x08\x2b\x24\x03\x03\x02\x08\x01\x07"),
		"RSA-1024":                             rsa1024.Raw,
		"P-224":                                p224.Raw,
		"nothing but a sequence in a sequence": {0x30, 2, 0x30, 0},
	}
}

// finding C10: a certificate that was sent along, not needed and not fit for use refused its
// caller: the Go Daddy and Starfield roots with serial number 0, roots of version 1, curves
// that crypto/x509 does not know, keys of RSA 1024.
func TestSentAlong_WhatCannotBeUsedIsNoCandidate(t *testing.T) {
	root := newRoot(t, "Root")
	issuing := root.newCA(t, "Issuing")
	leaf := issuing.newClient(t)
	zero := issue(t, nil, nil, "Root of serial 0", asCA)
	spare := unusable(t)
	spare["serial number 0"] = serialZero(t, zero)
	for name, der := range spare {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][][]byte{
				{leaf.Raw, issuing.Raw, der},
				{leaf.Raw, der, issuing.Raw},
				{leaf.Raw, der, der, der, issuing.Raw, der, der, der, der, der},
			} {
				assert.Equal(t, certauth.ReasonNone, reasonOf(sendChain(t, root.roots(), order...)))
			}
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(sendChain(t, root.roots(), der, issuing.Raw)), "as the leaf")
			eleven := [][]byte{leaf.Raw}
			for range 10 {
				eleven = append(eleven, der)
			}
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(sendChain(t, root.roots(), eleven...)), "they count")
		})
	}
	for name, der := range map[string][]byte{
		"a byte too many":       append(append([]byte{}, issuing.Raw...), 0),
		"a byte too few":        issuing.Raw[:len(issuing.Raw)-1],
		"two in one":            append(append([]byte{}, issuing.Raw...), issuing.Raw...),
		"not a sequence":        {4, 2, 0x30, 0},
		"a sequence of nothing": {0x30, 0},
		"an indefinite length":  {0x30, 0x80, 0x30, 0, 0, 0},
		"a length too long":     {0x30, 0x81, 2, 0x30, 0},
		"too large":             append([]byte{0x30, 0x82, 0x40, 0x00, 0x30, 0x82, 0x3F, 0xFC}, make([]byte, 16<<10-4)...),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(sendChain(t, root.roots(), leaf.Raw, issuing.Raw, der)))
		})
	}
	t.Run("the identity does not hold it", func(t *testing.T) {
		auth, err := certauth.New(certauth.Config{Source: forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, Policy: root.roots()})
		require.NoError(t, err)
		id, err := auth.Check(traefikRequest(leaf.Raw, spare["negative serial number"], issuing.Raw))
		require.NoError(t, err)
		require.Len(t, id.Presented, 2)
		assert.Equal(t, issuing.Raw, id.Presented[1].Raw)
	})
}

// serialZero is the certificate with the serial number 0, signed anew.
func serialZero(t testing.TB, p *party) []byte {
	t.Helper()
	template := *p.Certificate
	template.SerialNumber = big.NewInt(0x55)
	der := create(t, &template, &template, p.key.Public(), p.key).Raw
	return []byte(strings.Replace(string(der), "\x02\x01\x55", "\x02\x01\x00", 1))
}

func traefikRequest(ders ...[]byte) *http.Request {
	var items []string
	for _, der := range ders {
		items = append(items, base64.StdEncoding.EncodeToString(der))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-Tls-Client-Cert", strings.Join(items, ","))
	return r
}

// sendChain sends leaf and chain in each form that carries several certificates, and demands
// one answer.
func sendChain(t *testing.T, policy certauth.Policy, ders ...[]byte) error {
	t.Helper()
	var text strings.Builder
	var sequences []string
	for i, der := range ders {
		require.NoError(t, pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
		if i > 0 {
			sequences = append(sequences, ":"+base64.StdEncoding.EncodeToString(der)+":")
		}
	}
	spaced := func(der []byte) string {
		return strings.TrimSpace(strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), "\n", " "))
	}
	from := forwarded.InsecureAnyPeer()
	requests := []struct {
		source certauth.Source
		header map[string]string
	}{
		{forwarded.Traefik{From: from}, map[string]string{"X-Forwarded-Tls-Client-Cert": traefikRequest(ders...).Header.Get("X-Forwarded-Tls-Client-Cert")}},
		{forwarded.RFC9440{From: from, Chain: true}, map[string]string{"Client-Cert": ":" + base64.StdEncoding.EncodeToString(ders[0]) + ":", "Client-Cert-Chain": strings.Join(sequences, ", ")}},
		{forwarded.Header{From: from, Name: "X-Cert", Format: forwarded.FormatURLPEMChain}, map[string]string{"X-Cert": strings.ReplaceAll(url.QueryEscape(text.String()), "+", "%20")}},
		{forwarded.Header{From: from, Name: "X-Cert", Format: forwarded.FormatSpacedPEM, ChainName: "X-Chain", ChainFormat: forwarded.ChainSpacedPEMNumbered}, func() map[string]string {
			all := map[string]string{"X-Cert": spaced(ders[0])}
			for i, der := range ders[1:] {
				all["X-Chain"+string(rune('0'+i))] = spaced(der)
			}
			return all
		}()},
	}
	var answer error
	for i, one := range requests {
		auth, err := certauth.New(certauth.Config{Source: one.source, Policy: policy})
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for name, value := range one.header {
			r.Header.Set(name, value)
		}
		_, err = auth.Check(r)
		if i > 0 {
			assert.Equal(t, reasonOf(answer), reasonOf(err), "%T: %v", one.source, err)
		}
		answer = err
	}
	return answer
}
