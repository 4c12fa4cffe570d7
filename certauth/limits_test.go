package certauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// cca #221: 16 KB of commas cost 80 ms. Front ends row 18, the caps of the core: ten
// certificates in all, 16 KiB of DER each, a thousand names.
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

// CVE-2018-16875, CVE-2025-58187, CVE-2026-32280, CVE-2026-32281, CVE-2026-27145
// crypto/x509; CVE-2021-3908 cfrpki: chain building, constraints and many names burn
// CPU. Front ends row 40. The exact bounds on candidates are in TestLimits_SameNameCAsStayCheap;
// here the limit is far above what is needed and far below what the attacks cost.
func TestLimits_HostileChainsEndInTime(t *testing.T) {
	w := newWorld(t)
	evil := certauthtest.NewCA(t, "Evil CA")
	var lookAlikes, loop []*x509.Certificate
	for range 9 {
		lookAlikes = append(lookAlikes, w.ca.NewIntermediate(t, "Look-alike CA").Certificate)
	}
	a, b := evil.NewIntermediate(t, "Loop A"), evil.NewIntermediate(t, "Loop B")
	loop = append(loop, crossSign(t, a, b), crossSign(t, b, a), a.Certificate, b.Certificate, crossSign(t, a, evil), crossSign(t, b, evil), evil.Certificate)

	manyNames, manyRanges, mails := make([]string, 600), make([]*net.IPNet, 600), make([]string, 600)
	for i := range manyNames {
		manyNames[i], mails[i] = fmt.Sprintf("%d.a", i), fmt.Sprintf("u@%d.a", i)
		manyRanges[i] = &net.IPNet{IP: net.IPv4(10, byte(i>>8), byte(i), 0).To4(), Mask: net.CIDRMask(24, 32)}
	}
	constrained := w.ca.NewIntermediate(t, "Constrained CA", func(c *x509.Certificate) {
		c.PermittedEmailAddresses, c.ExcludedIPRanges, c.ExcludedDNSDomains = mails[:300], manyRanges[:200], manyNames[:300]
	})
	crowded := constrained.Issue(t, "client", func(c *x509.Certificate) { c.EmailAddresses = mails[300:600] }).Certificate
	lookAlike := forge(t, w.leaf.Certificate, &x509.Certificate{RawSubject: lookAlikes[0].RawSubject, Version: 3})
	for _, tc := range []struct {
		name string
		sent []*x509.Certificate
	}{
		{"nine look-alike intermediates", append([]*x509.Certificate{lookAlike}, lookAlikes...)},
		{"a cross-signed loop", append([]*x509.Certificate{a.Issue(t, "client").Certificate}, loop...)},
		{"300 addresses under 800 constraints", []*x509.Certificate{crowded, constrained.Certificate}},
		{"unrelated certificates", append([]*x509.Certificate{certauthtest.SelfSigned(t, "x").Certificate}, loop...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := authOf(t, w.chain(), time.Time{}, tc.sent...)
			done := make(chan error, 1)
			go func() { _, err := auth.Check(request()); done <- err }()
			select {
			case err := <-done:
				assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
			case <-time.After(time.Minute):
				assert.Fail(t, "still at it after a minute")
			}
		})
	}
}

// CVE-2024-24783, CVE-2025-58188, CVE-2026-27138 crypto/x509: panics in Verify. Keys that
// no parser makes stand for the next one of these.
func TestLimits_VerifierPanicBecomesADenial(t *testing.T) {
	w := newWorld(t)
	broken := func(change func(*x509.Certificate)) *x509.Certificate {
		odd := *w.leaf.Certificate
		change(&odd)
		return &odd
	}
	withSource := func(f func(*http.Request) ([]*x509.Certificate, error)) error {
		auth, err := certauth.New(certauth.Config{Source: certauth.SourceFunc{Name: "test", Func: f}, Policy: w.chain()})
		require.NoError(t, err)
		id, err := auth.Check(request())
		require.Nil(t, id)
		return err
	}
	for name, cert := range map[string]*x509.Certificate{
		"an RSA key without a modulus":           broken(func(c *x509.Certificate) { c.PublicKey = &rsa.PublicKey{} }),
		"an ECDSA key without a curve":           broken(func(c *x509.Certificate) { c.PublicKey = &ecdsa.PublicKey{} }),
		"an ECDSA key that is nil":               broken(func(c *x509.Certificate) { c.PublicKey = (*ecdsa.PublicKey)(nil) }),
		"a negative modulus of the right length": broken(func(c *x509.Certificate) { c.PublicKey = &rsa.PublicKey{N: new(big.Int).Neg(oddNumber(2048)), E: -1} }),
	} {
		_, err := judge(t, w.chain(), cert)
		assert.Contains(t, []certauth.Reason{certauth.ReasonInternalError, certauth.ReasonCertificateMalformed}, reasonOf(err), "%s: %v", name, err)
	}
	err := withSource(func(*http.Request) ([]*x509.Certificate, error) { panic("decoder") })
	assert.Equal(t, certauth.ReasonInternalError, reasonOf(err), "%v", err)
	assert.ErrorIs(t, err, certauth.ReasonInternalError)
	_, err = judge(t, w.behind(panics()), w.leaf.Certificate)
	assert.Equal(t, certauth.ReasonInternalError, reasonOf(err), "%v", err)

	t.Run("in the background too", func(t *testing.T) {
		calls := 0
		source := certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
			if calls++; calls > 1 {
				panic("vault")
			}
			return []*x509.Certificate{w.ca.Certificate}, nil
		})
		auth := authOf(t, certauth.Chain{Roots: source}, time.Time{}, w.leaf.Certificate)
		assert.ErrorContains(t, auth.Reload(t.Context()), "Policy.Chain.Roots: panic: vault")
		_, err := auth.Check(request())
		assert.NoError(t, err, "the last good roots stay")
	})
}

// CVE-2025-61729 crypto/x509: the text of an error grew with the square of the input.
// What a refusal says is bounded, printable, and never the text of crypto/x509.
func TestLimits_ErrorTextIsBounded(t *testing.T) {
	names := make([]string, 900)
	for i := range names {
		names[i] = fmt.Sprintf("%d.example", i)
	}
	long := strings.Repeat("\u202E\x1b[31m\n<script>", 300)
	root := certauthtest.NewCA(t, "Root", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"only.example"} })
	free := newWorld(t)
	crowd := func(c *x509.Certificate) { c.DNSNames = names }
	loud := rawSubject(t, utf8Name(long))
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		leaf   *x509.Certificate
	}{
		{"many names outside a constraint", chainOf(root), root.Issue(t, "client", crowd).Certificate},
		{"many names and another wanted", free.behind(certauth.DNSNames{"want.example"}), free.issue(t, crowd)},
		{"a long subject and another wanted", free.behind(certauth.Subject{"CN=want"}), free.issue(t, loud)},
		{"a long common name and another wanted", free.behind(certauth.CommonNames{"want"}), free.issue(t, loud)},
		{"a long issuer that nobody knows", free.chain(), certauthtest.SelfSigned(t, "x", loud).Certificate},
		{"a long panic", free.behind(certauth.PolicyFunc{Name: "x", Func: func(context.Context, *certauth.Identity) error { panic(long) }}), free.leaf.Certificate},
		{"a long error of a function", free.behind(says(errors.New(strings.Repeat("x", 1<<20)))), free.leaf.Certificate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := judge(t, tc.policy, tc.leaf)
			require.Error(t, err)
			text := err.Error()
			assert.Less(t, len(text), 700)
			assert.True(t, utf8.ValidString(text))
			assert.NotContains(t, text, "x509:")
			if !strings.Contains(tc.name, "panic") {
				assert.NotContains(t, text, "\n")
				assert.NotContains(t, text, "\x1b")
				assert.NotContains(t, text, "\u202E")
			}
		})
	}
}
