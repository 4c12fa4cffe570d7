package forwarded_test

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// withFrom returns a copy of the source with the field From set.
func withFrom(source certauth.Source, from forwarded.Gate) certauth.Source {
	clone := reflect.New(reflect.TypeOf(source)).Elem()
	clone.Set(reflect.ValueOf(source))
	clone.FieldByName("From").Set(reflect.ValueOf(from))
	return clone.Interface().(certauth.Source)
}

// The fields that name a header: each header is read under its new name, and not under the default.
func TestPresets_RenamedHeaders(t *testing.T) {
	p := newPartner(t)
	from := fromTens()
	for _, tc := range []struct {
		name, preset string
		source       certauth.Source
		renamed      map[string]string // old: new
	}{
		{"API Management", "APIManagement", forwarded.APIManagement{From: from, Header: "X-New"}, map[string]string{"X-Client-Cert": "X-New"}},
		{"Application Gateway as X-ARR-ClientCert", "ApplicationGateway", forwarded.ApplicationGateway{From: from, Header: "X-ARR-ClientCert", VerifyHeader: "X-New-Verify"}, map[string]string{"X-Client-Certificate": "X-ARR-ClientCert", "X-Client-Certificate-Verification": "X-New-Verify"}},
		{"nginx", "Nginx", forwarded.Nginx{From: from, Header: "X-New", VerifyHeader: "X-New-Verify", FingerprintHeader: "X-New-Sum"}, map[string]string{"X-Client-Cert": "X-New", "X-Client-Verify": "X-New-Verify", "X-Client-Fingerprint": "X-New-Sum"}},
		{"HAProxy", "HAProxy", forwarded.HAProxy{From: from, Header: "X-New", UsedHeader: "X-New-Used", VerifyHeader: "X-New-Verify"}, map[string]string{"X-SSL-Client-Cert": "X-New", "X-SSL-Client-Used": "X-New-Used", "X-SSL-Client-Verify": "X-New-Verify"}},
		{"Apache", "Apache", forwarded.Apache{From: from, Header: "X-New", VerifyHeader: "X-New-Verify"}, map[string]string{"SSL_CLIENT_CERT": "X-New", "SSL_CLIENT_VERIFY": "X-New-Verify"}},
		{"Caddy", "Caddy", forwarded.Caddy{From: from, Header: "X-New", FingerprintHeader: "X-New-Sum"}, map[string]string{"X-Client-Cert": "X-New", "X-Client-Fingerprint": "X-New-Sum"}},
		{"ALB", "ALB", forwarded.ALB{From: from, Header: "X-New"}, map[string]string{"X-Amzn-Mtls-Clientcert-Leaf": "X-New"}},
		{"ALB passthrough", "ALB passthrough", forwarded.ALB{From: from, Passthrough: true, Header: "X-New"}, map[string]string{"X-Amzn-Mtls-Clientcert": "X-New"}},
		{"Google", "GoogleLB", forwarded.GoogleLB{From: from, Header: "X-New", ChainHeader: "X-New-Chain", PresentHeader: "X-New-Present", VerifiedHeader: "X-New-Verified", ErrorHeader: "X-New-Error"}, map[string]string{"Client-Cert": "X-New", "X-Client-Cert-Present": "X-New-Present", "X-Client-Cert-Chain-Verified": "X-New-Verified", "X-Client-Cert-Error": "X-New-Error"}},
		{"Kong", "Kong", forwarded.Kong{From: from, Header: "X-Forwarded-Client-Cert", FingerprintHeader: "X-New-Sum"}, map[string]string{"X-Client-Cert": "X-Forwarded-Client-Cert", "X-Client-Cert-Fingerprint": "X-New-Sum"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := named(tc.preset)
			s := newStand(t, certauth.Config{Source: tc.source, Policy: p.chain()})
			old := func() *http.Request { return d.request(p.client.Certificate) }
			s.judge(t, old, certauth.ReasonCertificateMissing)
			s.judge(t, func() *http.Request {
				r := old()
				for from, to := range tc.renamed {
					lines := r.Header[http.CanonicalHeaderKey(from)]
					put(from)(r)
					put(to, lines...)(r)
				}
				return r
			}, certauth.ReasonNone)
		})
	}
}

// Front Door's id distinguishes tenants: a request without exactly this id is from an untrusted
// sender.
func TestFrontDoor_TheProfileIsPartOfTheGate(t *testing.T) {
	p := newPartner(t)
	d := named("FrontDoor")
	s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
	untrusted := certauth.ReasonSourceUntrusted
	s.judgeAll(t, func() *http.Request { return d.request(p.client.Certificate) }, []row{
		{"this profile", nil, certauth.ReasonNone},
		{"another profile", put("X-Azure-FDID", "99999999-2222-3333-4444-555555555555"), untrusted},
		{"another profile without a certificate", inOrder(put("X-Azure-FDID", "x"), put(d.header)), certauth.ReasonCertificateMissing},
		{"no profile", put("X-Azure-FDID"), untrusted},
		{"an empty profile", put("X-Azure-FDID", ""), untrusted},
		{"this profile twice", put("X-Azure-FDID", profileID, profileID), untrusted},
		{"this profile and another", put("X-Azure-FDID", profileID, "x"), untrusted},
		{"joined", put("X-Azure-FDID", profileID+", "+profileID), untrusted},
		{"a space after it", put("X-Azure-FDID", profileID+" "), untrusted},
		{"only an alias", inOrder(put("X-Azure-FDID"), set("X_Azure_FDID", profileID)), untrusted},
		{"this profile from elsewhere", func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1" }, untrusted},
	})
	for _, format := range []forwarded.Format{forwarded.FormatBase64DER, forwarded.FormatBase64DERList, forwarded.FormatURLPEM, forwarded.FormatURLPEMChain, forwarded.FormatSpacedPEM, forwarded.FormatByteSequence} {
		value := map[forwarded.Format]string{
			forwarded.FormatBase64DER: asList(p.client.Certificate), forwarded.FormatBase64DERList: asList(p.client.Certificate), forwarded.FormatURLPEM: asURL(p.client.Certificate), forwarded.FormatURLPEMChain: asURL(p.client.Certificate),
			forwarded.FormatSpacedPEM: asSpaced(p.client.Certificate), forwarded.FormatByteSequence: asSequences(p.client.Certificate),
		}
		s := newStand(t, certauth.Config{Source: forwarded.FrontDoor{From: fromTens(), ProfileID: profileID, Format: format}, Policy: p.chain()})
		for other, text := range value {
			want := certauth.ReasonCertificateMalformed
			if text == value[format] {
				want = certauth.ReasonNone
			}
			s.judge(t, func() *http.Request {
				r := d.request(p.client.Certificate)
				put(d.header, text)(r)
				return r
			}, want)
			assert.NotZero(t, other)
		}
	}
}

// finding T140: in passthrough mode CloudFront reports a certificate and its fingerprint without sending it
// (AWS, "Viewer mTLS headers for cache policies and forwarded to origin"), so the header may be the client's text.
func TestCloudFront_TheCertificateIsTheOneThatCloudFrontSaw(t *testing.T) {
	p := newPartner(t)
	thief := p.ca.Issue(t, "thief").Certificate
	s := newStand(t, certauth.Config{Source: forwarded.CloudFront{From: fromTens()}, Policy: p.chain()})
	s.judgeAll(t, func() *http.Request { return named("CloudFront").request(p.client.Certificate) }, []row{
		{"the client's own certificate", nil, certauth.ReasonNone},
		{"the certificate of another client, which the thief wrote", put("CloudFront-Viewer-Cert-Sha256", thumbprint(thief.Raw)), certauth.ReasonCertificateMalformed},
		{"no word of CloudFront on the certificate", put("CloudFront-Viewer-Cert-Sha256"), certauth.ReasonCertificateMalformed},
	})
}

// finding T26: Cloudflare passes the client's headers on, and no rule can remove one whose name
// begins with Cf-. Where certificate forwarding is off, or writes the certificate only on the first
// request of a connection, the certificate is the client's text, next to what Cloudflare says of
// the one in the handshake.
func TestCloudflare_TheCertificateIsTheOneThatCloudflareSaw(t *testing.T) {
	p := newPartner(t)
	thief := p.ca.Issue(t, "thief").Certificate
	for name, source := range map[string]certauth.Source{
		"Cloudflare": forwarded.Cloudflare{From: fromTens()}, "Cloudflare RFC 9440": forwarded.Cloudflare{From: fromTens(), RFC9440: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := named(name)
			s := newStand(t, certauth.Config{Source: source, Policy: p.chain()})
			s.judgeAll(t, func() *http.Request { return d.request(p.client.Certificate) }, []row{
				{"the client's own certificate", nil, certauth.ReasonNone},
				{"the certificate of another client, which the thief wrote", put("Cf-Cert-Fingerprint-Sha256", thumbprint(thief.Raw)), certauth.ReasonCertificateMalformed},
				{"the same, with the fingerprint of certificate forwarding", inOrder(put("Cf-Cert-Fingerprint-Sha256", thumbprint(thief.Raw)), put("Cf-Client-Cert-Sha256", thumbprint(p.client.Certificate.Raw))), certauth.ReasonCertificateMalformed},
				{"no word of Cloudflare on the certificate", put("Cf-Cert-Fingerprint-Sha256"), certauth.ReasonCertificateMalformed},
				{"a later request of the connection", put(d.header), certauth.ReasonCertificateMissing},
			})
		})
	}
}

// Header: each chain format together with the leaf, and the end of a numbered chain.
func TestHeader_ChainFormats(t *testing.T) {
	p := newPartner(t)
	client, ca := p.client.Certificate, p.ca.Certificate
	for _, tc := range []struct {
		name   string
		format forwarded.ChainFormat
		lines  map[string]string
		want   int // certificates
	}{
		{"a list of byte sequences", forwarded.ChainByteSequenceList, map[string]string{"X-Chain": asSequences(ca, ca)}, 3},
		{"concatenated", forwarded.ChainBase64Concatenated, map[string]string{"X-Chain": asConcatenated(ca, ca)}, 3},
		{"numbered base64", forwarded.ChainBase64Numbered, map[string]string{"X-Chain_0": asList(ca), "X-Chain_1": asList(ca)}, 3},
		{"numbered base64, an empty one ends it", forwarded.ChainBase64Numbered, map[string]string{"X-Chain_0": asList(ca), "X-Chain_1": "", "X-Chain_2": "?"}, 2},
		{"numbered PEM", forwarded.ChainSpacedPEMNumbered, map[string]string{"X-Chain0": asSpaced(ca), "X-Chain1": asSpaced(ca)}, 3},
		{"numbered PEM, an empty one ends it", forwarded.ChainSpacedPEMNumbered, map[string]string{"X-Chain0": asSpaced(ca), "X-Chain1": ""}, 2},
		{"numbered PEM, (null) ends it, as the format says", forwarded.ChainSpacedPEMNumbered, map[string]string{"X-Chain0": asSpaced(ca), "X-Chain1": "(null)"}, 2},
		{"numbered PEM, (null) at once", forwarded.ChainSpacedPEMNumbered, map[string]string{"X-Chain0": "(null)"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			source := forwarded.Header{From: fromTens(), Name: "X-Mine", Format: forwarded.FormatSpacedPEM, ChainName: "X-Chain", ChainFormat: tc.format}
			s := newStand(t, certauth.Config{Source: source, Policy: p.chain()})
			id := s.judge(t, func() *http.Request {
				r := named("Header").request(client)
				for name, value := range tc.lines {
					put(name, value)(r)
				}
				return r
			}, certauth.ReasonNone)
			require.NotNil(t, id)
			assert.Len(t, id.Presented, tc.want)
		})
	}
}

// Header's flags: one must have its value, another must be absent.
func TestHeader_FlagsThatMustBeAbsent(t *testing.T) {
	p := newPartner(t)
	d := named("Header")
	source := forwarded.Header{
		From: fromTens(), Name: "X-Mine", Format: forwarded.FormatSpacedPEM, FrontEndVerifies: true, Require: []forwarded.Flag{{Header: "X-Mine-Ok", Value: "yes"}, {Header: "X-Mine-Error", Absent: true}},
	}
	denied := certauth.ReasonFrontEndUnverified
	newStand(t, certauth.Config{Source: source, Policy: certauth.CommonNames{"orders"}}).judgeAll(t, func() *http.Request { return d.request(p.client.Certificate) }, []row{
		{"the error is absent", nil, certauth.ReasonNone},
		{"the error is empty", put("X-Mine-Error", ""), certauth.ReasonNone},
		{"an error", put("X-Mine-Error", "expired"), denied},
		{"a space for an error", put("X-Mine-Error", " "), denied},
		{"two empty errors", put("X-Mine-Error", "", ""), certauth.ReasonCertificateMalformed},
		{"no error, and not verified", put("X-Mine-Ok"), denied},
		{"no error, and an empty flag", put("X-Mine-Ok", ""), denied},
	})
}

// No text of a gate contains a secret.
func TestSharedSecret_IsNeverPrinted(t *testing.T) {
	gate := forwarded.SharedSecret("X-Gate", secret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		assert.NotContains(t, fmt.Sprintf(verb, gate), secret, verb)
		assert.NotContains(t, fmt.Sprintf(verb, forwarded.Nginx{From: gate}), secret, verb)
		assert.NotContains(t, fmt.Sprintf(verb, []forwarded.Gate{gate}), secret, verb)
	}
}

// finding N60: an App Configuration reference that App Service had not resolved was a secret that whoever knows the names
// in it can write. Microsoft Learn, "Use App Configuration references for App Service and Azure Functions": if a reference
// is not resolved properly, the reference string is used instead.
func TestSharedSecret_AReferenceIsNoSecret(t *testing.T) {
	for _, reference := range []string{
		"@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/gate)", "@microsoft.keyvault(VaultName=vault;SecretName=gate)",
		"@Microsoft.AppConfiguration(Endpoint=https://store.azconfig.example; Key=gate)", "$(GATE_SECRET_OF_OURS)", "${GATE_SECRET_OF_OURS}",
	} {
		_, err := certauth.New(certauth.Config{Source: forwarded.Nginx{From: forwarded.SharedSecret("X-Gate", reference)}, Policy: newPartner(t).chain()})
		assert.ErrorContains(t, err, "Source: Nginx.From: SharedSecret: value 0: an unresolved reference", reference)
	}
}

// The arguments of New may change afterwards.
func TestPresets_AreCopied(t *testing.T) {
	p := newPartner(t)
	flags := []forwarded.Flag{{Header: "X-Mine-Ok", Value: "yes"}}
	by := []string{"spiffe://sidecar"}
	header := newStand(t, certauth.Config{Source: forwarded.Header{From: fromTens(), Name: "X-Mine", Format: forwarded.FormatSpacedPEM, Require: flags}, Policy: p.chain()})
	envoy := newStand(t, certauth.Config{Source: forwarded.Envoy{From: fromTens(), Hops: 2, By: by}, Policy: p.chain()})
	flags[0], by[0] = forwarded.Flag{Header: "X-Other", Value: "no"}, "spiffe://other"
	header.judge(t, func() *http.Request { return named("Header").request(p.client.Certificate) }, certauth.ReasonNone)
	envoy.judge(t, func() *http.Request {
		r := named("Envoy").request(p.client.Certificate)
		put(xfcc, asXFCC(p.client.Certificate)+",By=spiffe://sidecar;Hash=00")(r)
		return r
	}, certauth.ReasonNone)
}
