package certauth_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

var (
	serverOnly = certauthtest.Usage(x509.ExtKeyUsageServerAuth)
	clientOnly = certauthtest.Usage(x509.ExtKeyUsageClientAuth)
	anyUsage   = certauthtest.Usage(x509.ExtKeyUsageAny)
	noUsage    = certauthtest.Usage()
)

func unknownUsage(c *x509.Certificate) {
	c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 99999, 2}}
}

// aileron-gateway; pomerium #1026; go#24162; the Azure Container Apps sample: empty
// KeyUsages of x509.VerifyOptions mean server authentication.
func TestChain_ServerOnlyCertificateIsRefused(t *testing.T) {
	w := newWorld(t)
	serverCA := w.ca.NewIntermediate(t, "Server CA", serverOnly)
	below := certauth.Chain{Roots: certsOf(w.ca), Intermediates: certsOf(serverCA)}
	server := w.issue(t, serverOnly)
	runVerdicts(t, []verdict{
		{"serverAuth on the leaf", w.chain(), server, certauth.ReasonUsageNotAllowed},
		{"serverAuth on the leaf, pinned", certauth.Thumbprints{thumbprint(server)}, server, certauth.ReasonUsageNotAllowed},
		{"serverAuth on the leaf, given as a whole", certauth.Certificates(server), server, certauth.ReasonUsageNotAllowed},
		{"serverAuth on the leaf, key pinned", certauth.PublicKeys{spkiPin(server)}, server, certauth.ReasonUsageNotAllowed},
		{"an unknown usage alone on the leaf", w.chain(), w.issue(t, unknownUsage), certauth.ReasonUsageNotAllowed},
		{"serverAuth on the CA, clientAuth on the leaf", below, serverCA.Issue(t, "client").Certificate, certauth.ReasonUsageNotAllowed},
	})
	t.Run("an unknown usage alone, pinned", func(t *testing.T) {
		leaf := w.issue(t, unknownUsage)
		_, err := judge(t, certauth.Thumbprints{thumbprint(leaf)}, leaf)
		assert.Equal(t, certauth.ReasonUsageNotAllowed, reasonOf(err), "%v", err)
	})
}

// Front ends row 63. RFC 5280, section 4.2.1.12: without the extension every purpose is allowed.
func TestChain_ClientOnlyCertificateIsAccepted(t *testing.T) {
	w := newWorld(t)
	strict := certauth.Chain{Roots: certsOf(w.ca), StrictEKU: true}
	both := certauthtest.Usage(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	clientCA := w.ca.NewIntermediate(t, "Client CA", clientOnly)
	none, every := w.issue(t, noUsage), w.issue(t, anyUsage)
	runVerdicts(t, []verdict{
		{"clientAuth", w.chain(), w.issue(t, clientOnly), certauth.ReasonNone},
		{"clientAuth and serverAuth", w.chain(), w.issue(t, both), certauth.ReasonNone},
		{"no extended key usage", w.chain(), none, certauth.ReasonNone},
		{"any usage", w.chain(), every, certauth.ReasonNone},
		{"no extended key usage, pinned", certauth.Thumbprints{thumbprint(none)}, none, certauth.ReasonNone},
		{"any usage, pinned", certauth.Thumbprints{thumbprint(every)}, every, certauth.ReasonNone},
		{"clientAuth on the CA", certauth.Chain{Roots: certsOf(w.ca), Intermediates: certsOf(clientCA)}, clientCA.Issue(t, "client").Certificate, certauth.ReasonNone},
		{"strict: clientAuth", strict, w.issue(t, clientOnly), certauth.ReasonNone},
		{"strict: clientAuth and serverAuth", strict, w.issue(t, both), certauth.ReasonNone},
		{"strict: no extended key usage", strict, none, certauth.ReasonUsageNotAllowed},
		{"strict: any usage", strict, every, certauth.ReasonUsageNotAllowed},
	})
}

// x509.Verify accepts RSA-512 and RSA-768 leaves (limbo, BoringSSL's target-only list). Front ends
// row 26: weak and unknown keys are malformed, whatever the policy.
func TestChain_WeakKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	rsaKey := func(bits, e int) publicOnly {
		return publicOnly{public: &rsa.PublicKey{N: oddNumber(bits), E: e}}
	}
	edPublic, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		key  publicOnly
		want certauth.Reason
	}{
		{"RSA-512", rsaKey(512, 65537), certauth.ReasonCertificateMalformed},
		{"RSA-768", rsaKey(768, 65537), certauth.ReasonCertificateMalformed},
		{"RSA-1024", rsaKey(1024, 65537), certauth.ReasonCertificateMalformed},
		{"RSA-2047", rsaKey(2047, 65537), certauth.ReasonCertificateMalformed},
		{"RSA-2048", rsaKey(2048, 65537), certauth.ReasonNone},
		{"RSA-8192", rsaKey(8192, 65537), certauth.ReasonNone},
		{"RSA-8193", rsaKey(8193, 65537), certauth.ReasonCertificateMalformed},
		{"RSA-65536", rsaKey(65536, 65537), certauth.ReasonCertificateMalformed},
		{"RSA with exponent 1", rsaKey(2048, 1), certauth.ReasonCertificateMalformed},
		{"RSA with exponent 2", rsaKey(2048, 2), certauth.ReasonCertificateMalformed},
		{"RSA with exponent 3", rsaKey(2048, 3), certauth.ReasonNone},
		{"RSA with exponent 4", rsaKey(2048, 4), certauth.ReasonCertificateMalformed},
		{"P-224", publicOnly{public: newECKey(t, elliptic.P224()).Public()}, certauth.ReasonCertificateMalformed},
		{"P-256", publicOnly{public: newECKey(t, elliptic.P256()).Public()}, certauth.ReasonNone},
		{"P-384", publicOnly{public: newECKey(t, elliptic.P384()).Public()}, certauth.ReasonNone},
		{"P-521", publicOnly{public: newECKey(t, elliptic.P521()).Public()}, certauth.ReasonNone},
		{"Ed25519", publicOnly{public: edPublic}, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			leaf := w.ca.IssueFor(t, tc.key, "client").Certificate
			_, err := judge(t, w.chain(), leaf)
			assert.Equal(t, tc.want, reasonOf(err), "chain: %v", err)
			_, err = judge(t, certauth.Certificates(leaf), leaf)
			assert.Equal(t, tc.want, reasonOf(err), "pin: %v", err)
			_, err = judge(t, w.chain(), w.leaf.Certificate, leaf)
			assert.NoError(t, err, "sent along with a good leaf it is not a candidate")
		})
	}
}

// RFC 8410, section 3: Ed25519 is 1.3.101.112; the certificates here claim to contain X25519 (110),
// Ed448 (113), and an unknown algorithm (127).
func TestChain_UnknownKeyAlgorithmsAreRefused(t *testing.T) {
	w := newWorld(t)
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	genuine := w.ca.IssueFor(t, publicOnly{public: public}, "client").Raw
	identifier := []byte{6, 3, 0x2B, 0x65, 112}
	require.Equal(t, 1, bytes.Count(genuine, identifier))
	for _, last := range []byte{110, 113, 127} {
		odd := parse(t, bytes.Replace(genuine, identifier, []byte{6, 3, 0x2B, 0x65, last}, 1))
		for name, policy := range map[string]certauth.Policy{"chain": w.chain(), "pin": certauth.Certificates(odd)} {
			_, err := judge(t, policy, odd)
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err), "%s, %d: %v", name, last, err)
		}
	}
}

// OpenSSL's weak-key chains: a strong leaf below a weak CA. The weak CA is refused among roots and
// intermediates, and is not a candidate if it is sent along.
func TestChain_WeakCAKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	weak := w.ca.IssueFor(t, publicOnly{public: &rsa.PublicKey{N: oddNumber(1024), E: 65537}}, "Weak CA", certauthtest.AsCA(), noUsage).Certificate
	const want = `certificate 0 ("CN=Weak CA,O=certauthtest"): RSA key of 1024 bits, want 2048 to 8192`
	runMisconfigured(t, []misconfigured{
		{"as a root", certauth.Chain{Roots: certauth.Certificates(weak)}, []string{"Policy.Chain.Roots: " + want}},
		{"as an intermediate", certauth.Chain{Roots: certsOf(w.ca), Intermediates: certauth.Certificates(weak)}, []string{"Policy.Chain.Intermediates: " + want}},
	})
	_, err := judge(t, w.chain(), w.leaf.Certificate, weak)
	require.NoError(t, err, "not needed")
	below := forge(t, w.leaf.Certificate, weak)
	_, err = judge(t, w.chain(), below, weak)
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
}

// The doc of Chain: SHA-1 signatures are refused, on the leaf and above it.
func TestChain_SHA1SignaturesAreRefused(t *testing.T) {
	sha1 := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }
	w := newWorld(t)
	middle := w.ca.NewIntermediate(t, "Old CA", sha1)
	root := certauthtest.NewCA(t, "Old Root", sha1)
	runVerdicts(t, []verdict{
		{"on the leaf", w.chain(), w.issue(t, sha1), certauth.ReasonChainUntrusted},
		{"on an intermediate", certauth.Chain{Roots: certsOf(w.ca), Intermediates: certsOf(middle)}, middle.Issue(t, "client").Certificate, certauth.ReasonChainUntrusted},
		{"on the root itself, where nobody looks at it", chainOf(root), root.Issue(t, "client").Certificate, certauth.ReasonNone},
	})
}

// Front ends row 25, and RFC 5280, sections 4.1.2.1 and 4.1.2.2.
func TestChain_OddCertificatesAreMalformed(t *testing.T) {
	w := newWorld(t)
	with := func(change func(*x509.Certificate)) *x509.Certificate {
		odd := *w.leaf.Certificate
		change(&odd)
		return &odd
	}
	emptyDNS := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: []byte{0x30, 2, 0x82, 0}}}
	}
	odd := []verdict{
		{"version 1", w.chain(), with(func(c *x509.Certificate) { c.Version = 1 }), certauth.ReasonCertificateMalformed},
		{"serial number zero", w.chain(), with(func(c *x509.Certificate) { c.SerialNumber = oddNumber(1); c.SerialNumber.SetInt64(0) }), certauth.ReasonCertificateMalformed},
		{"negative serial number", w.chain(), with(func(c *x509.Certificate) { c.SerialNumber = oddNumber(9); c.SerialNumber.Neg(c.SerialNumber) }), certauth.ReasonCertificateMalformed},
		{"no serial number", w.chain(), with(func(c *x509.Certificate) { c.SerialNumber = nil }), certauth.ReasonCertificateMalformed},
		{"not parsed", w.chain(), &x509.Certificate{Version: 3}, certauth.ReasonCertificateMalformed},
		{"nil", w.chain(), nil, certauth.ReasonCertificateMalformed},
		{"a subject that is no name", w.chain(), with(func(c *x509.Certificate) { c.RawSubject = []byte{5, 0} }), certauth.ReasonCertificateMalformed},
	}
	runVerdicts(t, odd)
	t.Run("an empty DNS name", func(t *testing.T) {
		template := &x509.Certificate{SerialNumber: oddNumber(8), NotBefore: w.leaf.NotBefore, NotAfter: w.leaf.NotAfter}
		emptyDNS(template)
		key := newECKey(t, elliptic.P256())
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return // crypto/x509 refuses to parse it, so no source can return it
		}
		_, err = judge(t, certauth.Certificates(cert), cert)
		assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err), "%v", err)
	})
}
