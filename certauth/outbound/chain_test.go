package outbound_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// Names only suggest who signed: certificates of one name and other keys, expired ones and roots must not get into what is
// presented, in whatever order they stand.
func TestChain_OrderedBySignature(t *testing.T) {
	root, other := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Other Root")
	upper := root.NewIntermediate(t, "Upper")
	lower := upper.NewIntermediate(t, "Lower")
	leaf := issue(t, lower, "orders")
	namesake := upper.NewIntermediate(t, "Lower") // of the same name, with another key
	decoy := certauthtest.NewCA(t, "Lower")
	expired := upper.NewIntermediate(t, "Lower", certauthtest.Valid(time.Now().Add(-9*day), time.Now().Add(-day)))
	ofExpired := issue(t, expired, "orders")
	crossed := other.CrossSign(t, upper) // the same name and key as upper, from another root
	for _, tc := range []struct {
		name string
		data []byte
		leaf *certauthtest.Certificate
		want [][]byte
	}{
		{"whole, in order", bundle(t, leaf, lower.Certificate, upper.Certificate, root.Certificate), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, upper.Certificate.Raw}},
		{"backwards", append(certPEM(root.Certificate, upper.Certificate, lower.Certificate), bundle(t, leaf)...), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, upper.Certificate.Raw}},
		{"with namesakes", append(certPEM(namesake.Certificate, decoy.Certificate, upper.Certificate), bundle(t, leaf, lower.Certificate)...), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, upper.Certificate.Raw}},
		{"without the issuer", bundle(t, leaf, upper.Certificate), leaf, [][]byte{leaf.Raw}},
		{"without the upper one", bundle(t, leaf, lower.Certificate, root.Certificate), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw}},
		{"with an issuer that has expired", bundle(t, ofExpired, expired.Certificate, upper.Certificate), ofExpired, [][]byte{ofExpired.Raw}},
		{"the leaf twice", append(bundle(t, leaf, lower.Certificate), certPEM(leaf.Certificate)...), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw}},
		{"cross-signed alone", bundle(t, leaf, lower.Certificate, crossed, other.Certificate), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, crossed.Raw}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			own := open(t, outbound.Config{Source: outbound.Fetch((&secret{data: tc.data}).fetch)})
			cert, err := own.GetClientCertificate(asking())
			require.NoError(t, err)
			assert.Equal(t, tc.want, cert.Certificate)
			assert.Equal(t, len(tc.want)-1, own.Status().Intermediates)
		})
	}
	t.Run("two CAs that sign one another", func(t *testing.T) {
		one, two := certauthtest.NewCA(t, "One"), certauthtest.NewCA(t, "Two")
		oneByTwo, twoByOne := two.CrossSign(t, one), one.CrossSign(t, two)
		of := issue(t, one, "orders")
		own := open(t, outbound.Config{Source: outbound.Fetch((&secret{data: bundle(t, of, oneByTwo, twoByOne)}).fetch)})
		assert.Equal(t, 2, own.Status().Intermediates)
	})
}
