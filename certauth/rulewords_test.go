package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// The doc of Error: a rule of the user may leave out what New knows better. What it says
// itself stands.
func TestPolicyFunc_ErrorIsCompletedAndNotOverwritten(t *testing.T) {
	w := newWorld(t)
	const rule = `Policy.All[1].PolicyFunc("says")`
	cause := errors.New("cause")
	hintOf := func(reason certauth.Reason) string {
		_, err := judge(t, w.behind(says(&certauth.Error{Reason: reason})), w.leaf.Certificate)
		var refused *certauth.Error
		require.ErrorAs(t, err, &refused)
		require.NotEmpty(t, refused.Hint)
		return refused.Hint
	}
	byDefault, byReason := hintOf(certauth.ReasonPolicyRefused), hintOf(certauth.ReasonCertificateDenied)
	require.NotEqual(t, byDefault, byReason)
	for name, tc := range map[string]struct {
		given error
		want  certauth.Error
	}{
		"nothing set":        {&certauth.Error{}, certauth.Error{Reason: certauth.ReasonPolicyRefused, Rule: rule, Hint: byDefault}},
		"a reason":           {&certauth.Error{Reason: certauth.ReasonCertificateDenied}, certauth.Error{Reason: certauth.ReasonCertificateDenied, Rule: rule, Hint: byReason}},
		"a rule":             {&certauth.Error{Rule: "mine"}, certauth.Error{Reason: certauth.ReasonPolicyRefused, Rule: "mine", Hint: byDefault}},
		"a hint":             {&certauth.Error{Hint: "ask"}, certauth.Error{Reason: certauth.ReasonPolicyRefused, Rule: rule, Hint: "ask"}},
		"a reason, a rule":   {&certauth.Error{Reason: certauth.ReasonCertificateDenied, Rule: "mine"}, certauth.Error{Reason: certauth.ReasonCertificateDenied, Rule: "mine", Hint: byReason}},
		"a reason, a hint":   {&certauth.Error{Reason: certauth.ReasonCertificateDenied, Hint: "ask"}, certauth.Error{Reason: certauth.ReasonCertificateDenied, Rule: rule, Hint: "ask"}},
		"a rule, a hint":     {&certauth.Error{Rule: "mine", Hint: "ask"}, certauth.Error{Reason: certauth.ReasonPolicyRefused, Rule: "mine", Hint: "ask"}},
		"all three":          {&certauth.Error{Reason: certauth.ReasonCertificateDenied, Rule: "mine", Hint: "ask", Err: cause}, certauth.Error{Reason: certauth.ReasonCertificateDenied, Rule: "mine", Hint: "ask", Err: cause}},
		"an error of others": {cause, certauth.Error{Reason: certauth.ReasonPolicyRefused, Rule: rule, Hint: byDefault, Err: cause}},
	} {
		var before certauth.Error
		given, isOurs := tc.given.(*certauth.Error) //nolint:errorlint // the row's own
		if isOurs {
			before = *given
		}
		_, err := judge(t, w.behind(says(tc.given)), w.leaf.Certificate)
		var got *certauth.Error
		require.ErrorAs(t, err, &got, name)
		assert.Equal(t, tc.want, certauth.Error{Reason: got.Reason, Rule: got.Rule, Hint: got.Hint, Err: got.Err}, name)
		if isOurs {
			assert.Equal(t, before, *given, "%s: the rule's own error was written to", name)
		}
	}
}

// Mode Optional lets a request through in which the source found no certificate, and nothing
// else: not a caller with a certificate whom a rule refuses with an error that another
// Authenticator made of a request without one.
func TestOptional_AbsenceElsewhereIsNoAbsenceHere(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	_, absent := authOf(t, w.chain(), time.Time{}).Check(httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, certauth.ReasonCertificateMissing, reasonOf(absent))
	for name, policy := range map[string]certauth.Policy{
		"a rule":            w.behind(says(absent)),
		"a rule in an Any":  w.behind(certauth.Any{says(absent), certauth.CommonNames{"nobody"}}),
		"a rule's own word": w.behind(says(&certauth.Error{Reason: certauth.ReasonCertificateMissing, Rule: "mine", Hint: "ask"})),
	} {
		auth, err := certauth.New(certauth.Config{Source: fixedSource("s", leaf), Policy: policy, Mode: certauth.Optional})
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%s: let through", name) })).
			ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, http.StatusUnauthorized, answer.Code, name)
	}
}

// The doc of SPIFFEID: it is false where the names are not vouched for.
func TestSPIFFE_NoIDUnderAKeyPinAlone(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t, certauthtest.URI(t, "spiffe://a.example/x"))
	id, err := judge(t, certauth.PublicKeys{spkiPin(leaf)}, leaf)
	require.NoError(t, err)
	text, ok := id.SPIFFEID()
	assert.False(t, ok)
	assert.Empty(t, text)
	id, err = judge(t, w.chain(), leaf)
	require.NoError(t, err)
	text, ok = id.SPIFFEID()
	assert.True(t, ok)
	assert.Equal(t, "spiffe://a.example/x", text)
}

// What an operator reads: what was found, or that nothing was.
func TestRules_RefusalsSayWhatWasFound(t *testing.T) {
	w := newWorld(t)
	const oid = "1.3.6.1.4.1.99999.3"
	asked := certauth.Extension{OID: oid, Text: []string{"wanted"}}
	for name, tc := range map[string]struct {
		policy certauth.Policy
		leaf   *x509.Certificate
		want   []string
	}{
		"an extension that is missing":    {asked, w.issue(t), []string{"no extension " + oid}},
		"an extension with another value": {asked, w.issue(t, withExtension(oid, []byte{asn1.TagUTF8String, 1, 'x'})), []string{"extension " + oid + " has another value"}},
		"an address":                      {certauth.IPs{"10.0.0.1"}, w.issue(t, certauthtest.IP("192.0.2.7", "2001:db8::7")), []string{"have 2", "192.0.2.7", "2001:db8::7"}},
		"a host":                          {certauth.DNSNames{"a.example"}, w.issue(t, certauthtest.DNS("b.example")), []string{"have 1", "b.example"}},
	} {
		_, err := judge(t, w.behind(tc.policy), tc.leaf)
		require.Error(t, err, name)
		for _, want := range tc.want {
			assert.ErrorContains(t, err, want, name)
		}
	}
}

// Limits that the documentation names are themselves allowed.
func TestNew_TakesWhatIsExactlyAtALimit(t *testing.T) {
	w := newWorld(t)
	for name, policy := range map[string]certauth.Policy{
		"RSA keys from 2048 bits":   w.behind(certauth.Keys{MinRSABits: 2048}),
		"RSA keys from 8192 bits":   w.behind(certauth.Keys{MinRSABits: 8192}),
		"curves of 521 bits":        w.behind(certauth.Keys{MinECBits: 521}),
		"the largest skew":          w.behind(certauth.Validity{ClockSkew: certauth.MaxClockSkew}),
		"the shortest lifetime":     w.behind(certauth.Validity{MaxLifetime: 1}),
		"the shortest remaining":    w.behind(certauth.Validity{MinRemaining: 1}),
		"a SPIFFE ID of 2048 bytes": w.behind(certauth.SPIFFEIDs{"spiffe://a/" + strings.Repeat("x", 2048-len("spiffe://a/"))}),
		"a trust domain of 255":     w.behind(certauth.SPIFFEIDs{"spiffe://" + strings.Repeat("x", 255)}),
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: policy})
		assert.NoError(t, err, name)
	}
	for name, policy := range map[string]certauth.Policy{
		"a skew above the largest":  w.behind(certauth.Validity{ClockSkew: certauth.MaxClockSkew + 1}),
		"a negative skew":           w.behind(certauth.Validity{ClockSkew: -1}),
		"a negative lifetime":       w.behind(certauth.Validity{MaxLifetime: -1}),
		"a negative remaining":      w.behind(certauth.Validity{MinRemaining: -1}),
		"a SPIFFE ID of 2049 bytes": w.behind(certauth.SPIFFEIDs{"spiffe://a/" + strings.Repeat("x", 2049-len("spiffe://a/"))}),
		"a trust domain of 256":     w.behind(certauth.SPIFFEIDs{"spiffe://" + strings.Repeat("x", 256)}),
		"a backtick before a":       w.behind(certauth.DNSNames{"`.example"}),
		"a brace behind z":          w.behind(certauth.DNSNames{"{.example"}),
		"an at sign before A":       w.behind(certauth.DNSNames{"@.example"}),
		"a bracket behind Z":        w.behind(certauth.DNSNames{"[.example"}),
		"a slash before 0":          w.behind(certauth.DNSNames{"/.example"}),
		"a colon behind 9":          w.behind(certauth.DNSNames{":.example"}),
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: policy})
		assert.Error(t, err, name)
	}
}

// New copies what it is given: a caller who changes a list afterwards changes no rule.
func TestNew_ListsAreCopied(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t, certauthtest.DNS("b.example"), withExtension("1.3.6.1.4.1.99999.3", []byte{asn1.TagUTF8String, 1, 'b'}))
	algorithms := []x509.PublicKeyAlgorithm{x509.RSA}
	value, text := []byte{5, 0}, []string{"a"}
	names, units := certauth.CommonNames{"a"}, certauth.OrganizationalUnits{"a"}
	pinned := []*x509.Certificate{w.ca.Certificate}
	roots := []*x509.Certificate{newWorld(t).ca.Certificate}
	for name, tc := range map[string]struct {
		policy certauth.Policy
		change func()
	}{
		"Keys.Algorithms":     {w.behind(certauth.Keys{Algorithms: algorithms}), func() { algorithms[0] = x509.ECDSA }},
		"Extension.Value":     {w.behind(certauth.Extension{OID: "1.3.6.1.4.1.99999.3", Value: [][]byte{value}}), func() { copy(value, leaf.Extensions[len(leaf.Extensions)-1].Value) }},
		"Extension.Text":      {w.behind(certauth.Extension{OID: "1.3.6.1.4.1.99999.3", Text: text}), func() { text[0] = "b" }},
		"CommonNames":         {w.behind(names), func() { names[0] = "client" }},
		"OrganizationalUnits": {w.behind(units), func() { units[0] = "b" }},
		"Certificates":        {certauth.Certificates(pinned...), func() { pinned[0] = leaf }},
		"Chain.Roots":         {certauth.Chain{Roots: certauth.Certificates(roots...)}, func() { roots[0] = w.ca.Certificate }},
	} {
		auth := authOf(t, tc.policy, time.Time{}, leaf)
		tc.change()
		_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Error(t, err, name)
	}
}

// The context of the request reaches the function, with what middleware put into it.
func TestPolicyFunc_SeesTheContextOfTheRequest(t *testing.T) {
	w := newWorld(t)
	type key struct{}
	r := httptest.NewRequestWithContext(context.WithValue(t.Context(), key{}, "value"), http.MethodGet, "/", nil)
	var seen any
	_, err := authOf(t, w.behind(certauth.PolicyFunc{Name: "look", Func: func(ctx context.Context, _ *certauth.Identity) error {
		seen = ctx.Value(key{})
		return nil
	}}), time.Time{}, w.leaf.Certificate).Check(r)
	require.NoError(t, err)
	assert.Equal(t, "value", seen)
}
