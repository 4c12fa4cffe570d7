package certauth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// The doc of Error: New completes the fields that a user's rule leaves empty. Its own values are
// unchanged.
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
			assert.Equal(t, before, *given, "%s: the rule's own error was modified", name)
		}
	}
}

// Mode Optional lets a request pass only if the source found no certificate: not a caller with a
// certificate that a rule refuses with an error that another Authenticator returned for a request
// without one.
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
		auth, err := certauth.New(certauth.Config{Source: fixedSource("s", leaf), Policy: policy, Optional: true})
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%s: let through", name) })).
			ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, http.StatusUnauthorized, answer.Code, name)
	}
}

// The doc of SPIFFEID: it returns false if the names are not vouched for.
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

// What an operator reads: what was found, or that nothing was found.
//
// finding N14: the required values were counted and not listed.
func TestRules_RefusalsSayWhatWasFound(t *testing.T) {
	w := newWorld(t)
	const oid = "1.3.6.1.4.1.99999.3"
	asked := certauth.Extension{OID: oid, Text: []string{"wanted"}}
	for name, tc := range map[string]struct {
		policy certauth.Policy
		leaf   *x509.Certificate
		want   []string
	}{
		"two common names":                {certauth.CommonNames{"a"}, w.issue(t, rawSubject(t, utf8Name("a"), utf8Name("b"))), []string{"2 values", "want 1"}},
		"two organizations":               {certauth.Organizations{"a"}, w.issue(t, rawSubject(t, organization("b"), organization("c"))), []string{"have 2", `want one of 1 ("a")`}},
		"an extension that is missing":    {asked, w.issue(t), []string{"no extension " + oid}},
		"an extension with another value": {asked, w.issue(t, withExtension(oid, []byte{asn1.TagUTF8String, 1, 'x'})), []string{"extension " + oid + " has another value"}},
		"an address":                      {certauth.IPs{"10.0.0.1"}, w.issue(t, certauthtest.IP("192.0.2.7", "2001:db8::7")), []string{"have 2", "192.0.2.7", "2001:db8::7", `want one of 1 ("10.0.0.1/32")`}},
		"a host":                          {certauth.DNSNames{"a.example"}, w.issue(t, certauthtest.DNS("b.example")), []string{"have 1", "b.example", `want one of 1 ("a.example")`}},
		"a subject":                       {certauth.Subject{"CN=a", "CN=b", "CN=c", "CN=d", "CN=e"}, w.issue(t), []string{`want one of 5 ("CN=a", "CN=b", "CN=c", "CN=d" and 1 more)`}},
	} {
		_, err := judge(t, w.behind(tc.policy), tc.leaf)
		require.Error(t, err, name)
		for _, want := range tc.want {
			assert.ErrorContains(t, err, want, name)
		}
	}
}

// The documented limits are themselves permitted.
func TestNew_TakesWhatIsExactlyAtALimit(t *testing.T) {
	w := newWorld(t)
	for name, policy := range map[string]certauth.Policy{
		"RSA keys from 2048 bits":   w.behind(certauth.Keys{MinRSABits: 2048}),
		"RSA keys from 8192 bits":   w.behind(certauth.Keys{MinRSABits: 8192}),
		"curves of 521 bits":        w.behind(certauth.Keys{MinECBits: 521}),
		"the largest skew":          w.behind(certauth.Validity{ClockSkew: time.Hour}),
		"the shortest lifetime":     w.behind(certauth.Validity{MaxLifetime: 1}),
		"the shortest remaining":    w.behind(certauth.Validity{MinRemaining: 1}),
		"a SPIFFE ID of 2048 bytes": w.behind(certauth.SPIFFEIDs{"spiffe://a/" + strings.Repeat("x", 2048-len("spiffe://a/"))}),
		"a trust domain of 255":     w.behind(certauth.SPIFFEIDs{"spiffe://" + strings.Repeat("x", 255)}),
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: policy})
		assert.NoError(t, err, name)
	}
	for name, policy := range map[string]certauth.Policy{
		"a skew above the largest":  w.behind(certauth.Validity{ClockSkew: time.Hour + 1}),
		"a negative skew":           w.behind(certauth.Validity{ClockSkew: -1}),
		"a negative lifetime":       w.behind(certauth.Validity{MaxLifetime: -1}),
		"a negative remaining":      w.behind(certauth.Validity{MinRemaining: -1}),
		"a SPIFFE ID of 2049 bytes": w.behind(certauth.SPIFFEIDs{"spiffe://a/" + strings.Repeat("x", 2049-len("spiffe://a/"))}),
		"a trust domain of 256":     w.behind(certauth.SPIFFEIDs{"spiffe://" + strings.Repeat("x", 256)}),
		"a backtick before a":       w.behind(certauth.DNSNames{"`.example"}),
		"a brace after z":           w.behind(certauth.DNSNames{"{.example"}),
		"an at sign before A":       w.behind(certauth.DNSNames{"@.example"}),
		"a bracket after Z":         w.behind(certauth.DNSNames{"[.example"}),
		"a slash before 0":          w.behind(certauth.DNSNames{"/.example"}),
		"a colon after 9":           w.behind(certauth.DNSNames{":.example"}),
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: policy})
		assert.Error(t, err, name)
	}
}

// New copies its arguments: changing a list afterwards changes no rule.
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

// A lifetime and a remainder of one second are also limits.
func TestValidity_LimitsOfASecondHold(t *testing.T) {
	ca := aroundNoon(t)
	leaf := ca.Issue(t, "client", certauthtest.Valid(noon.Add(-time.Minute), noon)).Certificate
	for name, tc := range map[string]struct {
		validity certauth.Validity
		want     certauth.Reason
	}{
		"issued for more than a second": {certauth.Validity{MaxLifetime: time.Second}, certauth.ReasonLifetimeNotAllowed},
		"issued for a minute":           {certauth.Validity{MaxLifetime: time.Minute}, certauth.ReasonNone},
		"nothing remains":               {certauth.Validity{MinRemaining: time.Second}, certauth.ReasonLifetimeNotAllowed},
	} {
		_, err := judgeAt(t, noon, certauth.All{chainOf(ca), tc.validity}, leaf)
		assert.Equal(t, tc.want, reasonOf(err), "%s: %v", name, err)
	}
}

// The start-up text counts a pin once, however often and in whatever form it is listed.
func TestPins_WrittenTwiceCountOnce(t *testing.T) {
	w := newWorld(t)
	pin := thumbprint(w.leaf.Certificate)
	text := authOf(t, certauth.Thumbprints{pin, strings.ToUpper(pin), pin, pinOfNobody}, time.Time{}).String()
	assert.Contains(t, text, "is one of 2")
}

// A pinned certificate needs no rule on names under the system's roots.
func TestNew_PinnedCertificatesNarrowTheSystemsRoots(t *testing.T) {
	leaf := newWorld(t).leaf.Certificate
	system := certauth.Chain{Roots: certauth.InsecureSystemRoots()}
	for name, narrow := range pinsOf(leaf) {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.All{system, narrow}})
		assert.NoError(t, err, name)
	}
	_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: system})
	assert.ErrorContains(t, err, "every public CA")
}

// finding N64: the hint of a key pin that does not match is to add the new pin, but no part of the record contained it.
func TestPublicKeys_ARefusalSaysWhichPinTheKeyHas(t *testing.T) {
	w := newWorld(t)
	_, err := judge(t, certauth.PublicKeys{strings.Repeat("ab", 32)}, w.leaf.Certificate)
	require.ErrorIs(t, err, certauth.ReasonPinMismatch)
	pin := sha256.Sum256(w.leaf.Certificate.RawSubjectPublicKeyInfo)
	require.ErrorContains(t, err, hex.EncodeToString(pin[:]))
	_, err = judge(t, certauth.PublicKeys{strings.Repeat("ab", 32), hex.EncodeToString(pin[:])}, w.leaf.Certificate)
	assert.NoError(t, err)
}

// finding N168: for the SHA-256 of the certificate in the place of that of its key, as openssl x509 -fingerprint prints it,
// the hint was about renewals.
func TestPublicKeys_TheHintSaysThatAPinIsThatOfTheCertificate(t *testing.T) {
	w := newWorld(t)
	_, err := judge(t, certauth.PublicKeys{thumbprint(w.leaf.Certificate)}, w.leaf.Certificate)
	require.ErrorIs(t, err, certauth.ReasonPinMismatch)
	refused, _ := errors.AsType[*certauth.Error](err)
	assert.Contains(t, refused.Hint, "list it in Thumbprints")
	assert.Contains(t, refused.Error(), thumbprint(&x509.Certificate{Raw: w.leaf.RawSubjectPublicKeyInfo}))
}

// finding R37: the record of a refusal has the SHA-256 alone, in which the hint to add the new pin is of no use for a list of SHA-1
// pins, the kind that Azure shows.
func TestThumbprintsSHA1_ARefusalSaysWhichPinTheCertificateHas(t *testing.T) {
	w := newWorld(t)
	nobody := certauth.ThumbprintsSHA1{strings.Repeat("ab", 20)}
	_, parsed := judge(t, nobody, w.leaf.Certificate)
	auth := must(t, certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: nobody})
	r := realRequest(t)
	r.Header[certHeader] = []string{w.leaf.Base64()}
	_, unparsed := auth.Check(r)
	for name, err := range map[string]error{"a parsed certificate": parsed, "one that is refused before it is parsed": unparsed} {
		require.ErrorIs(t, err, certauth.ReasonPinMismatch, name)
		assert.ErrorContains(t, err, w.leafSHA1(), name)
	}
}

// finding P22: each pin of a list of another kind had an error of its own, a hundred megabytes for a million of
// them, at each reload.
func TestPinFile_OfAnotherKindHasAShortError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pins")
	write := func(pins ...string) { require.NoError(t, os.WriteFile(file, []byte(strings.Join(pins, "\n")), 0o600)) }
	write(pinOfNobody)
	auth := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.ThumbprintsFrom(certauth.PinFile(file))})
	sha1 := strings.Repeat("ab", 20)
	write(slices.Repeat([]string{sha1}, 50_000)...)
	for name, err := range map[string]error{
		"a reload": auth.Reload(t.Context()),
		"a list": func() error {
			_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Thumbprints(slices.Repeat([]string{sha1}, 50_000))})
			return err
		}(),
	} {
		require.ErrorContains(t, err, "[99]: 20 bytes, want 32", name)
		require.ErrorContains(t, err, "[100]: not looked at, like the 49899 after it", name)
		assert.Less(t, len(err.Error()), 20_000, name)
	}
	write(append([]string{pinOfNobody}, slices.Repeat([]string{sha1}, 100)...)...)
	assert.Equal(t, 99, strings.Count(auth.Reload(t.Context()).Error(), "\n"), "a hundred mistakes, each with its line")
}

// finding P33: of a list that PowerShell had written, in UTF-16 or with a byte order mark, the error was one about
// hex digits for each of its pins, although an editor shows them as they should be.
func TestPinFile_SaysThatItIsNoPlainText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pins.txt")
	_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.ThumbprintsFrom(certauth.PinFile(file))})
	require.ErrorContains(t, err, "no such file")
	wide := strings.Join(strings.Split(pinOfNobody+"\r\n", ""), "\x00") + "\x00"
	for name, content := range map[string]string{
		"UTF-16": "\xff\xfe" + wide, "the other order": "\xfe\xff\x00" + strings.TrimSuffix(wide, "\x00"), "UTF-16 without a mark": wide,
		"the other order without a mark": "\x00" + strings.TrimSuffix(wide, "\x00"), "UTF-8 with a mark": "\ufeff" + pinOfNobody + "\r\n",
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.ThumbprintsFrom(certauth.PinFile(file))})
		require.ErrorContains(t, err, "a byte order mark, or UTF-16", name)
		assert.Less(t, len(err.Error()), 300, name)
	}
}

// An unchanged pin file is not reloaded, one without a name is a mistake, and after one is removed
// its last content stays in use.
func TestPinFile_UnchangedUnnamedAndMissing(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "pins.txt")
	require.NoError(t, os.WriteFile(file, []byte(thumbprint(w.leaf.Certificate)+"\n"), 0o600))
	auth := authOf(t, certauth.ThumbprintsFrom(certauth.PinFile(file)), time.Time{}, w.leaf.Certificate)
	for range 3 {
		require.NoError(t, auth.Reload(t.Context()))
		_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		require.NoError(t, err)
	}
	_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.ThumbprintsFrom(certauth.PinFile(""))})
	assert.ErrorContains(t, err, "empty file name")

	require.NoError(t, os.Remove(file))
	assert.Error(t, auth.Reload(t.Context()))
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	assert.NoError(t, err, "the last good list stays")
}

// The refusal of a pin is the same whether it is made by the bytes alone or by a parsed
// certificate.
func TestScreen_RefusalIsThatOfTheRules(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	none := certauth.Thumbprints{pinOfNobody}
	other := certauth.Certificates(newWorld(t).leaf.Certificate)
	sha1 := certauth.ThumbprintsSHA1{strings.Repeat("ab", 20)}
	for name, policy := range map[string]certauth.Policy{
		"one list":         none,
		"one certificate":  other,
		"any of two lists": certauth.Any{none, sha1},
		"any of three":     certauth.Any{none, sha1, certauth.Named{Name: "x", Policy: other}},
	} {
		_, want := judge(t, policy, leaf)
		auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: policy})
		require.NoError(t, err)
		r := realRequest(t)
		r.Header[certHeader] = []string{base64.StdEncoding.EncodeToString(leaf.Raw)}
		_, got := auth.Check(r)
		require.Error(t, got, name)
		assert.Equal(t, want.Error(), got.Error(), name)
	}
}

// A caller that disconnected is distinguished from a rule that failed.
func TestCheck_CanceledRequestSaysSo(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := authOf(t, w.chain(), time.Time{}, w.leaf.Certificate).Check(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, certauth.ReasonRequestCanceled, refused.Reason)
	assert.Contains(t, refused.Hint, "client disconnected")
}

// The detail in an error's text has at most 512 bytes; a longer one is cut and marked.
func TestError_DetailIsCut(t *testing.T) {
	w := newWorld(t)
	for n, cut := range map[int]bool{511: false, 512: false, 513: true, 5000: true} {
		_, err := judge(t, w.behind(says(errors.New(strings.Repeat("x", n)))), w.leaf.Certificate)
		require.Error(t, err)
		assert.Equal(t, min(n, 512), strings.Count(err.Error(), "x"), "%d bytes", n)
		assert.Equal(t, cut, strings.HasSuffix(err.Error(), "..."), "%d bytes", n)
	}
}

// A refusal that is more specific than its reason has its own hint.
func TestCheck_HintOfARequestThatAsksToDropTheHeader(t *testing.T) {
	w := newWorld(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: w.chain()})
	require.NoError(t, err)
	r := realRequest(t)
	r.Header[certHeader] = []string{base64.StdEncoding.EncodeToString(w.leaf.Certificate.Raw)}
	r.Header["Connection"] = []string{"close, " + certHeader}
	_, err = auth.Check(r)
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Hint, "no honest client does")
}

// Letters and signs at the ends of their ranges are permitted in names (RFC 1123, section 2.1; RFC
// 5322, section 3.2.3; RFC 3986, section 2).
func TestNames_EndsOfTheirRanges(t *testing.T) {
	w := newWorld(t)
	runVerdicts(t, []verdict{
		{"hosts of a and z", w.behind(certauth.DNSNames{"az.example"}), w.issue(t, certauthtest.DNS("AZ.example")), certauth.ReasonNone},
		{"hosts of A and Z", w.behind(certauth.DNSNames{"AZ.example"}), w.issue(t, certauthtest.DNS("az.example")), certauth.ReasonNone},
		{"hosts of 0 and 9", w.behind(certauth.DNSNames{"09.example"}), w.issue(t, certauthtest.DNS("09.example")), certauth.ReasonNone},
		{"a mailbox of signs", w.behind(certauth.Emails{"!az~AZ09@a.example"}), w.issue(t, certauthtest.Email("!az~AZ09@a.example")), certauth.ReasonNone},
		{"a URI of signs", w.behind(certauth.URIs{"https://a.example/!~"}), w.issue(t, certauthtest.URI(t, "https://a.example/!~")), certauth.ReasonNone},
		{"a principal's domain in capitals", w.behind(certauth.UPNs{"a@AZ.EXAMPLE"}), w.issue(t, san(t, upn(t, "a@az.example"))), certauth.ReasonNone},
		{"a principal's domain, signs have no case", w.behind(certauth.UPNs{"a@[.example"}), w.issue(t, san(t, upn(t, "a@{.example"))), certauth.ReasonNameNotAllowed},
	})
}

// A challenge is printable ASCII (RFC 9110, section 5.5), including both ends of the range; a
// method may contain every token character (section 5.6.2).
func TestNew_ChallengeAndMethodToTheEndsOfTheirRanges(t *testing.T) {
	w := newWorld(t)
	start := func(challenge, method string) error {
		_, err := certauth.New(certauth.Config{
			Source: fixedSource("s"), Policy: w.chain(), Challenge: challenge,
			Exclusions: []certauth.Exclusion{{Method: method, Path: "/a", Reason: "r", Control: "c"}},
		})
		return err
	}
	for challenge, ok := range map[string]bool{
		"Mutual realm=\"a b\"": true, "Mutual ~!": true, "Mutual\x1f": false, "Mutual a\x1f": false, "Mutual a\x7f": false, "Mutual\t": false, "Mutual\u00e9": false, "Mutual\r\nX: y": false,
	} {
		assert.Equal(t, ok, start(challenge, "") == nil, "%q", challenge)
	}
	for method, ok := range map[string]bool{"A": true, "M-SEARCH": true, "Z": true, "a": false, "@": false, "[": false, "-X": false, "X Y": false, "X/Y": false, "X(": false, "\"X": false, "X\x7f": false} {
		assert.Equal(t, ok, start("", method) == nil, "%q", method)
	}
}

// The function receives the context of the request, with the values that middleware added.
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

// finding N70: the record of a reload that failed was the only one without the next step. Finding N115: that step did not
// say that the service ends with the next restart.
func TestReload_TheRecordOfAFailureHasTheNextStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pins")
	require.NoError(t, os.WriteFile(file, []byte(pinOfNobody), 0o600))
	var log bytes.Buffer
	auth := must(t, certauth.Config{
		Source: fixedSource("s"), Policy: certauth.ThumbprintsFrom(certauth.PinFile(file)), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, os.Remove(file))
	require.Error(t, auth.Reload(t.Context()))
	assert.Contains(t, log.String(), `hint="repair the file or function; until then the last good set stays in use, but a restart fails"`)
}

// finding N83: beside a Chain, the hint for the renewed certificate of a pinned partner was only to trust its CA there, which
// could then issue the names of the other partner.
func TestAny_TheHintOfAChainDoesNotHideThatOfAPin(t *testing.T) {
	w := newWorld(t)
	renewed := certauthtest.NewCA(t, "CA of the pinned partner").Issue(t, "pinned")
	_, err := judge(t, certauth.Any{w.chain(), certauth.Thumbprints{pinOfNobody}}, renewed.Certificate)
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, certauth.ReasonChainUntrusted, refused.Reason)
	assert.Contains(t, refused.Hint, "for a partner that is pinned: if the partner has renewed the certificate, add the new pin next to the old one")
}
