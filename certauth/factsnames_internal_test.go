package certauth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// The names of a remembered caller are released, and are the same when they are needed again.
func TestFacts_NamesAreReadAgain(t *testing.T) {
	leaf := certauthtest.NewCA(t, "Root").Issue(t, "client", certauthtest.DNS("A.partner.example", "-.example"), certauthtest.Email("a@partner.example")).Certificate
	f := factsIn(t, []*x509.Certificate{leaf})
	first, hosts := f.names(), f.altKeys(&altDNS)
	host, parent := "a.partner.example", ".partner.example"
	assert.Equal(t, &altKeys{list: []string{parent, host}, room: [4]string{parent, host}}, hosts)
	f.release()
	assert.Nil(t, f.parsed.Load())
	again := f.names()
	assert.NotSame(t, first, again)
	assert.Equal(t, first, again)
	assert.Same(t, again, f.names(), "kept now")
}

// Certificates must not be modified. If one is, its names are unreadable, which no rule treats as
// the absence of a name.
func TestFacts_NamesThatCannotBeReadAgainAreUnreadable(t *testing.T) {
	leaf := certauthtest.NewCA(t, "Root").Issue(t, "client", certauthtest.DNS("a.partner.example")).Certificate
	f := factsIn(t, []*x509.Certificate{leaf})
	f.release()
	leaf.RawSubject = []byte("no name")
	at := slices.IndexFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.String() == "2.5.29.17" })
	require.GreaterOrEqual(t, at, 0)
	leaf.Extensions[at].Value = []byte("no list")
	names := f.names()
	assert.False(t, names.subject.name.Readable())
	assert.Zero(t, names.subject.name.Count(dn.OIDCommonName))
	for form := san.OtherName; form <= san.RegisteredID; form++ {
		assert.Error(t, names.alt.Fault(form), "form %d", form)
	}
	for slot, kind := range []*altKind{&altDNS, &altURI, &altEmail, &altUPN, &altSPIFFE} {
		assert.Equal(t, slot, kind.slot, kind.rule)
		assert.Equal(t, &altKeys{}, f.altKeys(kind), kind.rule)
	}
}
