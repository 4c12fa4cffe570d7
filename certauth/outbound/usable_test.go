package outbound_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func TestUsable_WhatIsNotPresented(t *testing.T) {
	ca := certauthtest.NewCA(t, "Client Root")
	now := time.Now().Truncate(time.Second)
	key := func(generate func() (crypto.Signer, error)) crypto.Signer {
		k, err := generate()
		require.NoError(t, err)
		return k
	}
	p256 := key(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	client := certauthtest.Usage(x509.ExtKeyUsageClientAuth)
	keyUsage := func(usage x509.KeyUsage) certauthtest.Template {
		return func(c *x509.Certificate) { c.KeyUsage = usage }
	}
	for _, tc := range []struct {
		name       string
		key        crypto.Signer
		change     []certauthtest.Template
		serverAuth bool
		want       outbound.Reason
	}{
		{"clientAuth", p256, []certauthtest.Template{client}, false, ""},
		{"no extended key usage", p256, []certauthtest.Template{certauthtest.Usage()}, false, ""},
		{"any usage", p256, []certauthtest.Template{certauthtest.Usage(x509.ExtKeyUsageAny)}, false, ""},
		{"both", p256, []certauthtest.Template{certauthtest.Usage(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)}, false, ""},
		{"serverAuth alone", p256, []certauthtest.Template{certauthtest.Usage(x509.ExtKeyUsageServerAuth)}, false, outbound.ReasonUsageNotAllowed},
		{"serverAuth alone, as asked for", p256, []certauthtest.Template{certauthtest.Usage(x509.ExtKeyUsageServerAuth)}, true, ""},
		{"codeSigning, and serverAuth asked for", p256, []certauthtest.Template{certauthtest.Usage(x509.ExtKeyUsageCodeSigning)}, true, outbound.ReasonUsageNotAllowed},
		{"a usage that nobody knows", p256, []certauthtest.Template{certauthtest.Usage(), func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, []int{1, 2, 3, 4})
		}}, false, outbound.ReasonUsageNotAllowed},
		{"keyEncipherment alone", p256, []certauthtest.Template{client, keyUsage(x509.KeyUsageKeyEncipherment)}, false, outbound.ReasonUsageNotAllowed},
		{"no key usage", p256, []certauthtest.Template{client, keyUsage(0)}, false, ""},
		{"a CA", p256, []certauthtest.Template{client, certauthtest.AsCA()}, false, outbound.ReasonCertificateIsCA},
		{"the first second", p256, []certauthtest.Template{client, certauthtest.Valid(now, now.Add(day))}, false, ""},
		{"a second before", p256, []certauthtest.Template{client, certauthtest.Valid(now.Add(time.Second), now.Add(day))}, false, outbound.ReasonCertificateNotYetValid},
		{"the last second", p256, []certauthtest.Template{client, certauthtest.Valid(now.Add(-day), now)}, false, ""},
		{"a second after", p256, []certauthtest.Template{client, certauthtest.Valid(now.Add(-day), now.Add(-time.Second))}, false, outbound.ReasonCertificateExpired},
		{"Ed25519", key(func() (crypto.Signer, error) { _, k, err := ed25519.GenerateKey(rand.Reader); return k, err }), []certauthtest.Template{client}, false, ""},
		{"RSA 2048", key(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }), []certauthtest.Template{client}, false, ""},
		{"RSA 1024", key(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 1024) }), []certauthtest.Template{client}, false, outbound.ReasonKeyNotAllowed},
		{"P-224", key(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P224(), rand.Reader) }), []certauthtest.Template{client}, false, outbound.ReasonKeyNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			leaf := ca.IssueFor(t, tc.key, "orders", append([]certauthtest.Template{certauthtest.Valid(now.Add(-day), now.Add(day))}, tc.change...)...)
			s := &secret{data: bundle(t, leaf)}
			config := outbound.Config{Source: outbound.Fetch(s.fetch), AllowServerAuth: tc.serverAuth, Now: at(now)}
			if tc.want != "" {
				refused(t, config, tc.want)
				return
			}
			assert.True(t, open(t, config).Status().Usable)
		})
	}
}

func TestSelect_Names(t *testing.T) {
	ca := certauthtest.NewCA(t, "Client Root")
	leaf := issue(t, ca, "orders", certauthtest.DNS("orders.contoso.example"), certauthtest.Email("orders@contoso.example"),
		certauthtest.IP("192.0.2.1", "2001:db8::1"), certauthtest.URI(t, "spiffe://contoso/orders"),
		certauthtest.Subject(pkix.Name{CommonName: "orders", Organization: []string{"Contoso, Inc."}}))
	data := bundle(t, leaf)
	for _, tc := range []struct {
		name     string
		selected outbound.Select
		want     outbound.Reason
	}{
		{"DNS", outbound.Select{SAN: "ORDERS.contoso.example"}, ""},
		{"another DNS name", outbound.Select{SAN: "contoso.example"}, outbound.ReasonNotSelected},
		{"e-mail", outbound.Select{SAN: "orders@contoso.example"}, ""},
		{"e-mail in another case", outbound.Select{SAN: "Orders@contoso.example"}, outbound.ReasonNotSelected},
		{"URI", outbound.Select{SAN: "spiffe://contoso/orders"}, ""},
		{"URI in another case", outbound.Select{SAN: "spiffe://contoso/Orders"}, outbound.ReasonNotSelected},
		{"IPv4", outbound.Select{SAN: "192.0.2.1"}, ""},
		{"IPv4 in IPv6", outbound.Select{SAN: "::ffff:192.0.2.1"}, ""},
		{"IPv6 written otherwise", outbound.Select{SAN: "2001:DB8:0::1"}, ""},
		{"another address", outbound.Select{SAN: "192.0.2.2"}, outbound.ReasonNotSelected},
		{"subject as APIM quotes it", outbound.Select{Subject: `CN=orders, O="Contoso, Inc."`}, ""},
		{"part of the subject", outbound.Select{Subject: "CN=orders"}, outbound.ReasonNotSelected},
		{"subject in another case", outbound.Select{Subject: `CN=Orders,O=Contoso\, Inc.`}, outbound.ReasonNotSelected},
		{"both hold", outbound.Select{Subject: `CN=orders,O=Contoso\, Inc.`, SAN: "192.0.2.1", Thumbprints: []string{fingerprint(leaf.Certificate)}}, ""},
		{"one of all does not hold", outbound.Select{Subject: `CN=orders,O=Contoso\, Inc.`, SAN: "192.0.2.2", Thumbprints: []string{fingerprint(leaf.Certificate)}}, outbound.ReasonNotSelected},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := outbound.Config{Source: outbound.Fetch((&secret{data: data}).fetch), Select: tc.selected}
			if tc.want != "" {
				refused(t, config, tc.want)
				return
			}
			assert.True(t, open(t, config).Status().Usable)
		})
	}
}

// finding O59: of a subject as openssl x509 prints it, the hint was only that a renewed certificate has a new thumbprint.
func TestSelect_SaysThatTheSubjectIsInTheOppositeOrder(t *testing.T) {
	data := bundle(t, issue(t, certauthtest.NewCA(t, "Client Root"), "orders", certauthtest.Subject(pkix.Name{CommonName: "orders", Organization: []string{"Contoso"}})))
	for subject, want := range map[string]bool{"O = Contoso, CN = orders": true, "O=Contoso,CN=refunds": false, "CN=orders": false} {
		failed := refused(t, outbound.Config{Source: outbound.Fetch((&secret{data: data}).fetch), Select: outbound.Select{Subject: subject}}, outbound.ReasonNotSelected)
		assert.Equal(t, want, strings.Contains(failed.Hint, "in the opposite order"), subject)
	}
	one := bundle(t, issue(t, certauthtest.NewCA(t, "Client Root"), "orders", certauthtest.Subject(pkix.Name{CommonName: "orders"})))
	failed := refused(t, outbound.Config{Source: outbound.Fetch((&secret{data: one}).fetch), Select: outbound.Select{Subject: "CN=orders", SAN: "other.example"}}, outbound.ReasonNotSelected)
	assert.NotContains(t, failed.Hint, "order")
}

// The caller may change its slices after Open.
func TestOpen_CopiesWhatItIsGiven(t *testing.T) {
	w := newWorld(t)
	leaf := w.put(t, "orders")
	config := w.config()
	config.Select.Thumbprints = []string{fingerprint(leaf.Certificate)}
	own := open(t, config)
	config.Select.Thumbprints[0] = "0"
	require.NoError(t, own.Reload(t.Context()))
	w.put(t, "orders")
	reasonIs(t, own.Reload(t.Context()), outbound.ReasonNotSelected)
	assert.Equal(t, fingerprint(leaf.Certificate), own.Status().Fingerprint)
}

func TestReload_PasswordIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("own.p12"), fixture(t, "modern.p12"))
	text, failure := "changeit", error(nil)
	own := open(t, outbound.Config{
		Source: outbound.File{Path: w.path("own.p12")}, Now: at(then), Interval: time.Hour,
		Password: func(context.Context) (string, error) { return text, failure },
	})
	failure = errors.New("no such secret")
	require.ErrorIs(t, own.Reload(t.Context()), failure)
	failure = nil
	text = "old"
	reasonIs(t, own.Reload(t.Context()), outbound.ReasonPasswordWrong)
	text = "changeit"
	require.NoError(t, own.Reload(t.Context()))
	assert.Empty(t, own.Status().Reason)
}
