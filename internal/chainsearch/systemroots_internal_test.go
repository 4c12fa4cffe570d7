package chainsearch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// underSystem judges certificates, leaf first, with a pool instead of the system's roots.
func underSystem(now time.Time, skew time.Duration, root *x509.Certificate, certs ...*x509.Certificate) Result {
	system := x509.NewCertPool()
	system.AddCert(root)
	return find(Settings{System: system, MaxDepth: defaultMaxDepth, Skew: skew}, nil, &Pool{}, now, certs...)
}

// New checks configured CA certificates when it loads them. It never sees those of the system, so
// properties that crypto/x509 does not check are checked when a chain leads to one.
func TestSystemRoots_AreHeldToWhatConfiguredOnesAre(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	strong, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Now()
	rootOf := func(t *testing.T, rsaKey bool, change func(*x509.Certificate)) (root, leaf *x509.Certificate) {
		t.Helper()
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Public Root"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		change(template)
		client := &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "client"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		var public, signer any = &strong.PublicKey, strong
		if rsaKey {
			public, signer = &weak.PublicKey, weak
		}
		parse := func(der []byte, err error) *x509.Certificate {
			require.NoError(t, err)
			cert, err := x509.ParseCertificate(der)
			require.NoError(t, err)
			return cert
		}
		root = parse(x509.CreateCertificate(rand.Reader, template, template, public, signer))
		return root, parse(x509.CreateCertificate(rand.Reader, client, root, &strong.PublicKey, signer))
	}
	extension := func(value []byte, critical bool, id ...int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Value: value, Critical: critical})
		}
	}
	noBit := func(c *x509.Certificate) { c.KeyUsage = 0; extension([]byte{3, 1, 0}, true, 2, 5, 29, 15)(c) }
	for _, tc := range []struct {
		name   string
		weak   bool
		change func(*x509.Certificate)
		want   certcheck.Kind
	}{
		{"as it should be", false, func(*x509.Certificate) {}, none},
		{"an RSA key of 1024 bits", true, func(*x509.Certificate) {}, certcheck.Untrusted},
		{"a key usage without a bit", false, noBit, certcheck.Untrusted},
		{"an extended key usage that lists nothing", false, extension([]byte{0x30, 0}, false, 2, 5, 29, 37), certcheck.WrongUsage},
	} {
		root, leaf := rootOf(t, tc.weak, tc.change)
		answer := underSystem(now, 0, root, leaf)
		assert.Equal(t, tc.want, kindOf(answer), "%s: %v", tc.name, textOf(answer))
		assert.Equal(t, tc.want == none, len(answer.Chains) == 1, tc.name)
	}
}

// A refusal names the root that forbids it.
func TestSystemRoots_RefusalSaysWhatARootForbids(t *testing.T) {
	for name, tc := range map[string]struct {
		root certauthtest.Template
		want certcheck.Kind
		says string
	}{
		"a name": {func(c *x509.Certificate) {
			c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"partner.example"}, true
		}, certcheck.Untrusted, "name constraints of CA"},
		"a purpose": {certauthtest.Usage(x509.ExtKeyUsageServerAuth), certcheck.WrongUsage, "extended key usage of CA certificate"},
	} {
		root := certauthtest.NewCA(t, "Public Root", tc.root)
		leaf := root.Issue(t, "client", certauthtest.DNS("client.other.example")).Certificate
		answer := underSystem(time.Now(), 0, root.Certificate, leaf)
		assert.Equal(t, tc.want, kindOf(answer), "%s: %v", name, textOf(answer))
		assert.ErrorContains(t, answer.Refused.Err, tc.says)
	}
}

// Some systems trust certificates that are not CA certificates. Such a certificate is not accepted
// as a client.
func TestSystemRoots_TrustedLeafIsNoClient(t *testing.T) {
	leaf := certauthtest.NewCA(t, "Root").Issue(t, "client").Certificate
	answer := underSystem(time.Now(), 0, leaf, leaf)
	assert.Equal(t, certcheck.IsCA, kindOf(answer), "%v", textOf(answer))
	assert.Empty(t, answer.Chains)
}

// A leaf that has expired, or is not valid yet, is reported as such, as under configured roots.
func TestSystemRoots_DatesOfTheLeaf(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	root := certauthtest.NewCA(t, "Root", certauthtest.Valid(now.Add(-time.Hour), now.Add(time.Hour)))
	leaf := root.Issue(t, "client", certauthtest.Valid(now, now)).Certificate
	for at, want := range map[time.Duration]certcheck.Kind{-time.Second: certcheck.NotYetValid, 0: none, time.Second: certcheck.Expired} {
		assert.Equal(t, want, kindOf(underSystem(now.Add(at), 0, root.Certificate, leaf)), at)
	}
}

// If the root is outside its validity as well, the refusal names it, and not an unknown issuer.
func TestSystemRoots_DatesOfLeafAndRoot(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	root := certauthtest.NewCA(t, "Root", certauthtest.Valid(now.Add(-time.Hour), now.Add(time.Hour)))
	leaf := root.Issue(t, "client", certauthtest.Valid(now.Add(-time.Minute), now.Add(time.Minute))).Certificate
	for at, want := range map[time.Duration]certcheck.Kind{-2 * time.Hour: certcheck.NotYetValid, 2 * time.Hour: certcheck.Expired} {
		assert.Equal(t, want, kindOf(underSystem(now.Add(at), 0, root.Certificate, leaf)), at)
	}
}

// The clock skew applies to the system's roots as to configured ones.
func TestSystemRoots_Skew(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	root := certauthtest.NewCA(t, "Root", certauthtest.Valid(now.Add(-time.Hour), now))
	leaf := root.Issue(t, "client", certauthtest.Valid(now.Add(-time.Hour), now.Add(time.Hour))).Certificate
	for after, want := range map[time.Duration]bool{0: true, time.Minute: true, time.Minute + time.Second: false} {
		answer := underSystem(now.Add(after), time.Minute, root.Certificate, leaf)
		assert.Equal(t, want, answer.Refused == nil, "%v: %v", after, textOf(answer))
		assert.Equal(t, want, len(answer.Chains) == 1, "%v: a root is found once", after)
	}
	assert.Nil(t, underSystem(now.Add(time.Second), time.Second, root.Certificate, leaf).Refused, "a skew of a second")
}

// A presented CA that is not yet valid is checked again when it becomes valid: the refusal is not
// remembered longer than that.
func TestSystemRoots_RefusalEndsWhenAPresentedCABegins(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	begins := now.Add(time.Minute)
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing", certauthtest.Valid(begins, begins.AddDate(1, 0, 0)))
	leaf := issuing.Issue(t, "client").Certificate
	answer := underSystem(now, 0, root.Certificate, leaf, issuing.Certificate)
	require.NotNil(t, answer.Refused)
	assert.True(t, answer.Until.Equal(begins), "until %v, the CA begins at %v", answer.Until, begins)
	answer = underSystem(begins, 0, root.Certificate, leaf, issuing.Certificate)
	assert.Nil(t, answer.Refused, "%v", textOf(answer))
}

// The same for a chain with a name and the same key twice (findings T11 and S12), although the
// certificates differ in their alternative names.
func TestSystemRoots_NoNameWithOneKeyStandsTwice(t *testing.T) {
	root := certauthtest.NewCA(t, "Public Root")
	issuing := root.NewIntermediate(t, "Issuing")
	named := again(t, issuing, certauthtest.DNS("ca.example")) // issued by itself
	leaf := issuing.Issue(t, "client").Certificate
	answer := underSystem(time.Now(), 0, root.Certificate, leaf, issuing.Certificate, named)
	require.Nil(t, answer.Refused, "%v", textOf(answer))
	require.Len(t, answer.Chains, 1)
	assert.Len(t, answer.Chains[0], 3)

	own := issuing.IssueFor(t, certified{public: issuing.Certificate.PublicKey}, "", certauthtest.DNS("a.example"), func(c *x509.Certificate) {
		c.RawSubject = issuing.Certificate.RawSubject
	}).Certificate
	answer = underSystem(time.Now(), 0, root.Certificate, own, issuing.Certificate)
	assert.ErrorContains(t, textOf(answer), "the leaf has the name and the key of")
	assert.Equal(t, certcheck.Untrusted, kindOf(answer))
}
