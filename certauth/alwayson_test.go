package certauth_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"testing"

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
