package certauth_test

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestExtension_ValueTextAndPresence(t *testing.T) {
	const oid = "1.3.6.1.4.1.57264.1.1"
	w := newWorld(t)
	text := func(tag int, s string) certauthtest.Template {
		der, err := asn1.Marshal(asn1.RawValue{Tag: tag, Bytes: []byte(s)})
		require.NoError(t, err)
		return withExtension(oid, der)
	}
	leaf := w.issue(t, text(asn1.TagUTF8String, "deploy"))
	der := []byte("\x0C\x06deploy")
	rule := func(e certauth.Extension) certauth.Policy { e.OID = oid; return w.behind(e) }
	deploy := rule(certauth.Extension{Text: []string{"build", "deploy"}})
	const no, yes = certauth.ReasonExtensionNotAllowed, certauth.ReasonNone
	runVerdicts(t, []verdict{
		{"present", rule(certauth.Extension{Present: true}), leaf, yes},
		{"not present", rule(certauth.Extension{Present: true}), w.leaf.Certificate, no},
		{"another OID that begins alike", w.behind(certauth.Extension{OID: oid + ".1", Present: true}), leaf, no},
		{"another OID that this begins with", w.behind(certauth.Extension{OID: strings.TrimSuffix(oid, ".1"), Present: true}), leaf, no},
		{"the value", rule(certauth.Extension{Value: [][]byte{{5, 0}, der}}), leaf, yes},
		{"the value and a byte", rule(certauth.Extension{Value: [][]byte{append(der[:len(der):len(der)], 0)}}), leaf, no},
		{"the value without a byte", rule(certauth.Extension{Value: [][]byte{der[:len(der)-1]}}), leaf, no},
		{"the text as UTF8String", deploy, leaf, yes},
		{"the text as PrintableString", deploy, w.issue(t, text(asn1.TagPrintableString, "deploy")), yes},
		{"the text as IA5String", deploy, w.issue(t, text(asn1.TagIA5String, "deploy")), yes},
		{"the text as OCTET STRING", deploy, w.issue(t, text(asn1.TagOctetString, "deploy")), no},
		{"the text without a type", deploy, w.issue(t, withExtension(oid, []byte("deploy"))), no},
		{"the text in another case", deploy, w.issue(t, text(asn1.TagUTF8String, "Deploy")), no},
		{"a longer text", deploy, w.issue(t, text(asn1.TagUTF8String, "deploy2")), no},
		{"the text and a byte after it", deploy, w.issue(t, withExtension(oid, append(der[:len(der):len(der)], 0))), no},
		{"not, and it is", w.behind(certauth.Not{Policy: certauth.Extension{OID: oid, Present: true}}), leaf, certauth.ReasonPolicyRefused},
		{"not, and it is not", w.behind(certauth.Not{Policy: certauth.Extension{OID: oid, Present: true}}), w.leaf.Certificate, yes},
	})
	const path, want = "Policy.All[1].Extension", " of Value, Text and Present are set, want exactly one"
	runMisconfigured(t, []misconfigured{
		{"zero", w.behind(certauth.Extension{}), []string{path + `.OID: "" is not an object identifier`, path + ": 0" + want}},
		{"nothing wanted", rule(certauth.Extension{}), []string{path + ": 0" + want}},
		{"empty lists", rule(certauth.Extension{Value: [][]byte{}, Text: []string{}}), []string{path + ": 0" + want}},
		{"two wants", rule(certauth.Extension{Present: true, Text: []string{"x"}}), []string{path + ": 2" + want}},
		{"an empty value", rule(certauth.Extension{Value: [][]byte{{5, 0}, nil}}), []string{path + ".Value[1]: empty"}},
		{"an empty text", rule(certauth.Extension{Text: []string{""}}), []string{path + ".Text[0]: empty"}},
		{"a name for an OID", w.behind(certauth.Extension{OID: "keyUsage", Present: true}), []string{path + `.OID: "keyUsage" is not an object identifier`}},
		{"before the anchor", certauth.All{certauth.Extension{OID: oid, Present: true}, w.chain()}, []string{"Policy.All[0].Extension: comes before any anchor; put a Chain or a pin of the certificate before it"}},
	})
}

// finding C16: the certificate template of AD CS, a BMPString, could not be matched by its name.
//
// MS-WCCE, szOID_ENROLL_CERTTYPE: the extension 1.3.6.1.4.1.311.20.2 contains the name as
// BMPString.
func TestExtension_TemplateNameOfADCS(t *testing.T) {
	const oid = "1.3.6.1.4.1.311.20.2"
	w := newWorld(t)
	template := func(content string) *x509.Certificate {
		return w.issue(t, withExtension(oid, append([]byte{0x1E, byte(len(content))}, content...)))
	}
	user, notUser := w.behind(certauth.Extension{OID: oid, Text: []string{"User"}}), w.behind(certauth.Not{Policy: certauth.Extension{OID: oid, Text: []string{"User"}}})
	const no, yes, excluded = certauth.ReasonExtensionNotAllowed, certauth.ReasonNone, certauth.ReasonPolicyRefused
	runVerdicts(t, []verdict{
		{"the name", user, template("\x00U\x00s\x00e\x00r"), yes},
		{"another case", user, template("\x00u\x00s\x00e\x00r"), no},
		{"a longer name", user, template("\x00U\x00s\x00e\x00r\x002"), no},
		{"a terminating NUL", user, template("\x00U\x00s\x00e\x00r\x00\x00"), no},
		{"bytes of UTF-8", user, template("User"), no},
		{"an odd number of bytes", user, template("\x00U\x00s\x00e\x00r\x00"), no},
		{"not, and it is", notUser, template("\x00U\x00s\x00e\x00r"), excluded},
		{"not, and it is another", notUser, template("\x00W\x00e\x00b"), yes},
		{"not, and it is an odd number of bytes", notUser, template("\x00U\x00s\x00e\x00r\x00"), no},
		{"not, and it is half a pair of surrogates", notUser, template("\xD8\x3D"), no},
		// MS-ADA1, cn: the name of a template is a String(Unicode), 2.5.5.12, which is compared without regard to case.
		{"finding T62: not, and it is in another case", notUser, template("\x00U\x00S\x00E\x00R"), no},
		{"finding T62: not, and it has a terminating NUL", notUser, template("\x00U\x00s\x00e\x00r\x00\x00"), no},
		{"finding T62: not, and it begins alike", notUser, template("\x00U\x00s\x00e\x00r\x002"), yes},
		{"finding T62: two not are none", w.behind(certauth.Not{Policy: certauth.Not{Policy: certauth.Extension{OID: oid, Text: []string{"User"}}}}), template("\x00u\x00s\x00e\x00r"), no},
	})
	_, err := judge(t, user, template("\x00u\x00s\x00e\x00r"))
	assert.ErrorContains(t, err, "extension "+oid+" has another value")
	_, err = judge(t, notUser, template("\x00u\x00s\x00e\x00r"))
	assert.ErrorContains(t, err, `extension `+oid+` is "user", not certainly different from 1 excluded ("User")`)
}

// A spelling in which no certificate's OID is ever printed matches nothing; under Not, every caller
// would be accepted. RFC 4512, section 1.4: no leading zeros in a number.
func TestExtension_OtherSpellingsOfAnOIDAreErrorsOfNew(t *testing.T) {
	w := newWorld(t)
	for _, oid := range []string{"1.3.6.01.1", "01.3.6", "1.3.6.1.", "1..3"} {
		_, err := certauth.New(certauth.Config{
			Source: fixedSource("test"),
			Policy: w.behind(certauth.Not{Policy: certauth.Extension{OID: oid, Present: true}}),
		})
		assert.ErrorContains(t, err, "Policy.All[1].Not.Extension.OID", oid)
	}
}

func TestValidity_SkewLifetimeAndRemaining(t *testing.T) {
	ca := aroundNoon(t)
	issue := func(from, to time.Time) *x509.Certificate {
		return ca.Issue(t, "client", certauthtest.Valid(from, to)).Certificate
	}
	day, skew := 24*time.Hour, 5*time.Minute
	before, after := noon.Add(-day), noon.Add(day)
	with := func(v certauth.Validity) certauth.Policy { return certauth.All{chainOf(ca), v} }
	skewed := certauth.Validity{ClockSkew: skew}
	const expired, early, lifetime = certauth.ReasonCertificateExpired, certauth.ReasonCertificateNotYetValid, certauth.ReasonLifetimeNotAllowed
	for _, tc := range []struct {
		name   string
		policy func(*x509.Certificate) certauth.Policy
		leaf   *x509.Certificate
		want   certauth.Reason
	}{
		{"ended a skew ago", nil, issue(before, noon.Add(-skew)), certauth.ReasonNone},
		{"ended a skew and a second ago", nil, issue(before, noon.Add(-skew-time.Second)), expired},
		{"begins in a skew", nil, issue(noon.Add(skew), after), certauth.ReasonNone},
		{"begins in a skew and a second", nil, issue(noon.Add(skew+time.Second), after), early},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, policy := range map[string]certauth.Policy{
				"chain":               with(skewed),
				"skew in front":       certauth.All{skewed, chainOf(ca)},
				"pin":                 certauth.All{certauth.Thumbprints{thumbprint(tc.leaf)}, skewed},
				"certificate":         certauth.All{certauth.Certificates(tc.leaf), skewed},
				"anchor further down": certauth.All{skewed, certauth.Any{certauth.Thumbprints{pinOfNobody}, certauth.Named{Name: "x", Policy: chainOf(ca)}}},
			} {
				_, err := judgeAt(t, noon, policy, tc.leaf)
				assert.Equal(t, tc.want, reasonOf(err), "%s: %v", name, err)
			}
		})
	}
	for _, tc := range []struct {
		name     string
		validity certauth.Validity
		leaf     *x509.Certificate
		want     certauth.Reason
	}{
		{"issued for exactly the most", certauth.Validity{MaxLifetime: 2 * day}, issue(before, after), certauth.ReasonNone},
		{"issued for a second more", certauth.Validity{MaxLifetime: 2 * day}, issue(before, after.Add(time.Second)), lifetime},
		{"exactly the least remains", certauth.Validity{MinRemaining: day}, issue(before, after), certauth.ReasonNone},
		{"a second less remains", certauth.Validity{MinRemaining: day}, issue(before, after.Add(-time.Second)), lifetime},
		{"a skew of a second, ended a second ago", certauth.Validity{ClockSkew: time.Second}, issue(before, noon.Add(-time.Second)), certauth.ReasonNone},
		{"a skew of a second, ended two seconds ago", certauth.Validity{ClockSkew: time.Second}, issue(before, noon.Add(-2*time.Second)), expired},
		{"no skew, ended a second ago", certauth.Validity{MaxLifetime: 9 * day}, issue(before, noon.Add(-time.Second)), expired},
	} {
		_, err := judgeAt(t, noon, with(tc.validity), tc.leaf)
		assert.Equal(t, tc.want, reasonOf(err), "%s: %v", tc.name, err)
	}
	t.Run("the CA's dates get the skew too, and not more", func(t *testing.T) {
		for offset, want := range map[time.Duration]certauth.Reason{skew: certauth.ReasonNone, skew + time.Second: expired} {
			old := certauthtest.NewCA(t, "Old CA", certauthtest.Valid(noon.AddDate(-5, 0, 0), noon.Add(-offset)))
			_, err := judgeAt(t, noon, certauth.All{chainOf(old), skewed}, old.Issue(t, "client", certauthtest.Valid(before, after)).Certificate)
			assert.Equal(t, want, reasonOf(err), "%s: %v", offset, err)
		}
	})
	const path, nowhere = "Policy.All[1].Validity", ".ClockSkew: has no effect here; put the Validity directly into the All that has the anchor"
	chain := chainOf(ca)
	runMisconfigured(t, []misconfigured{
		{"zero", with(certauth.Validity{}), []string{path + ": empty"}},
		{"the largest skew and a nanosecond", with(certauth.Validity{ClockSkew: time.Hour + 1}), []string{path + ".ClockSkew: 1h0m0.000000001s, want 0 to 1h0m0s"}},
		{"negative", with(certauth.Validity{ClockSkew: -1, MaxLifetime: -1, MinRemaining: -1}), []string{path + ".ClockSkew: -1ns, want 0 to 1h0m0s", path + ".MaxLifetime: negative", path + ".MinRemaining: negative"}},
		{"in an Any", certauth.All{chain, certauth.Any{skewed}}, []string{"Policy.All[1].Any[0].Validity" + nowhere}},
		// finding C20: this was no mistake, and the printed policy showed a skew that no certificate had.
		{"in an All without an anchor", certauth.All{chain, certauth.All{skewed, certauth.CommonNames{"client"}}}, []string{
			"Policy.All[1].All.Validity" + nowhere,
		}},
		{"within Named", certauth.All{chain, certauth.Named{Name: "x", Policy: skewed}}, []string{`Policy.All[1].Named("x").Validity` + nowhere}},
		{"two skews in one All", certauth.All{chain, skewed, certauth.Validity{ClockSkew: time.Minute}}, []string{
			"Policy.All[2].Validity.ClockSkew: 1m0s contradicts 5m0s in the same All; set it once", "Policy.All[2].Validity" + nowhere,
		}},
	})
	assert.Panics(t, func() { authOf(t, chain, noon).Require(certauth.All{skewed, certauth.CommonNames{"client"}}) }, "finding C20, in a route")
}

func TestKeys_NarrowWhatIsAllowed(t *testing.T) {
	w := newWorld(t)
	issue := func(public any) *x509.Certificate {
		return w.ca.IssueFor(t, publicOnly{public: public}, "client").Certificate
	}
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rsaOf := func(bits int) *x509.Certificate { return issue(&rsa.PublicKey{N: oddNumber(bits), E: 65537}) }
	p256, p384, ed := w.leaf.Certificate, issue(newECKey(t, elliptic.P384()).Public()), issue(edKey)
	const no, yes = certauth.ReasonKeyNotAllowed, certauth.ReasonNone
	only := func(a ...x509.PublicKeyAlgorithm) certauth.Policy { return w.behind(certauth.Keys{Algorithms: a}) }
	bits, curves := w.behind(certauth.Keys{MinRSABits: 3072}), w.behind(certauth.Keys{MinECBits: 384})
	runVerdicts(t, []verdict{
		{"ECDSA alone, ECDSA", only(x509.ECDSA), p256, yes},
		{"ECDSA alone, RSA", only(x509.ECDSA), rsaOf(4096), no},
		{"ECDSA alone, Ed25519", only(x509.ECDSA), ed, no},
		{"RSA and Ed25519, Ed25519", only(x509.RSA, x509.Ed25519), ed, yes},
		{"RSA and Ed25519, ECDSA", only(x509.RSA, x509.Ed25519), p256, no},
		{"RSA from 3072, 3072", bits, rsaOf(3072), yes},
		{"RSA from 3072, 3071", bits, rsaOf(3071), no},
		{"RSA from 3072, ECDSA", bits, p256, yes},
		{"curves from 384, P-384", curves, p384, yes},
		{"curves from 384, P-256", curves, p256, no},
		{"curves from 384, RSA", curves, rsaOf(2048), yes},
		{"curves from 384, Ed25519", curves, ed, yes},
	})
	const path = "Policy.All[1].Keys"
	runMisconfigured(t, []misconfigured{
		{"zero", w.behind(certauth.Keys{}), []string{path + ": empty"}},
		{"DSA", only(x509.RSA, x509.DSA), []string{path + ".Algorithms[1]: DSA, want RSA, ECDSA, Ed25519 or, from Go 1.27 on, MLDSA"}},
		{"RSA from 2047", w.behind(certauth.Keys{MinRSABits: 2047}), []string{path + ".MinRSABits: 2047, want 2048 to 8192"}},
		{"RSA from 8193", w.behind(certauth.Keys{MinRSABits: 8193}), []string{path + ".MinRSABits: 8193, want 2048 to 8192"}},
		{"curves from 224", w.behind(certauth.Keys{MinECBits: 224}), []string{path + ".MinECBits: 224, want 256, 384 or 521"}},
		{"negative", w.behind(certauth.Keys{MinRSABits: -1, MinECBits: -1}), []string{path + ".MinRSABits: -1, want 2048 to 8192", path + ".MinECBits: -1, want 256, 384 or 521"}},
	})
}

func TestDenied_SerialsAndKeys(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing CA")
	chain := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing)}
	number := func(c *x509.Certificate) { c.SerialNumber = oddNumber(160) }
	leaf := issuing.Issue(t, "client", number).Certificate
	serial := "80" + strings.Repeat("00", 18) + "01"
	behind := func(rules ...certauth.Policy) certauth.Policy { return append(certauth.All{chain}, rules...) }
	listed := func(issuer, serial string) certauth.Policy {
		return behind(certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=x", Serial: "01"}, {Issuer: issuer, Serial: serial}}})
	}
	key := func(pins ...string) certauth.Policy { return behind(certauth.Denied{PublicKeys: pins}) }
	const issuer = "CN=Issuing CA,O=certauthtest"
	const denied, yes = certauth.ReasonCertificateDenied, certauth.ReasonNone
	runVerdicts(t, []verdict{
		{"issuer and serial", listed(issuer, serial), leaf, denied},
		{"serial with colons in upper case", listed(issuer, "80:"+strings.ToUpper(serial[2:])), leaf, denied},
		{"serial with a zero in front, as openssl prints it", listed(issuer, "00"+serial), leaf, denied},
		{"the serial of another issuer", listed("CN=Root,O=certauthtest", serial), leaf, yes},
		{"another serial of the issuer", listed(issuer, serial[:38]+"02"), leaf, yes},
		{"the leaf's key", key(pinOfNobody, spkiPin(leaf)), leaf, denied},
		{"the issuing CA's key", key(spkiPin(issuing.Certificate)), leaf, denied},
		{"the root's key", key(spkiPin(root.Certificate)), leaf, denied},
		{"another key", key(pinOfNobody), leaf, yes},
		{"the leaf's key under a key pin", certauth.All{certauth.PublicKeys{spkiPin(leaf)}, certauth.Denied{PublicKeys: []string{spkiPin(leaf)}}}, leaf, denied},
	})
	// The doc: a denied CA denies all certificates that it issued. Between a pin and the Chain no
	// CA is known yet, so such an entry would be ignored silently.
	t.Run("a denied CA denies wherever Denied stands", func(t *testing.T) {
		policy := certauth.All{certauth.Certificates(leaf), certauth.Denied{PublicKeys: []string{spkiPin(issuing.Certificate)}}, chain}
		auth, err := certauth.New(certauth.Config{Source: fixedSource("test", leaf), Policy: policy})
		if err != nil {
			return // refusing the order is equally good
		}
		_, err = auth.Check(request())
		assert.Equal(t, denied, reasonOf(err), "%v", err)
	})
	t.Run("in a branch that refused it denies nothing", func(t *testing.T) {
		failing := certauth.All{chain, certauth.Denied{PublicKeys: []string{spkiPin(issuing.Certificate)}}}
		other := certauth.All{certauth.Certificates(leaf), certauth.Denied{PublicKeys: []string{pinOfNobody}}}
		id, err := judge(t, certauth.Any{failing, other}, leaf)
		require.NoError(t, err)
		assert.Nil(t, id.Chains)
		early := certauth.All{certauth.Certificates(leaf), certauth.Denied{PublicKeys: []string{spkiPin(issuing.Certificate)}}, certauth.CommonNames{"nobody"}}
		_, err = judge(t, certauth.Any{early, chain}, leaf)
		assert.NoError(t, err)
	})
	const path, bad = "Policy.All[1].Denied", ": Serial: not a positive number in hex"
	runMisconfigured(t, []misconfigured{
		{"zero", behind(certauth.Denied{}), []string{path + ": empty"}},
		{"no issuer", listed("", "01"), []string{path + ".Serials[1]: Issuer: empty name"}},
		{"no serial", listed(issuer, ""), []string{path + ".Serials[1]" + bad}},
		{"serial zero", listed(issuer, "00"), []string{path + ".Serials[1]" + bad}},
		{"negative serial", listed(issuer, "-01"), []string{path + ".Serials[1]" + bad}},
		{"a serial with a prefix", listed(issuer, "0x01"), []string{path + ".Serials[1]" + bad}},
		{"a short key", key("00"), []string{path + ".PublicKeys[0]: 1 bytes, want 32"}},
		{"alone", certauth.Denied{PublicKeys: []string{pinOfNobody}}, []string{"Policy.Denied: comes before any anchor; put a Chain or a pin before it"}},
	})
}

// Even the smallest skew has an effect if a pin is the anchor and no chain is verified.
func TestValidity_SkewOfOneSecondUnderAPin(t *testing.T) {
	ca := aroundNoon(t)
	for ago, want := range map[time.Duration]certauth.Reason{
		time.Second: certauth.ReasonNone, 2 * time.Second: certauth.ReasonCertificateExpired,
	} {
		leaf := ca.Issue(t, "client", certauthtest.Valid(noon.Add(-time.Hour), noon.Add(-ago))).Certificate
		_, err := judgeAt(t, noon, certauth.All{certauth.Certificates(leaf), certauth.Validity{ClockSkew: time.Second}}, leaf)
		assert.Equal(t, want, reasonOf(err), "%s: %v", ago, err)
	}
	leaf := ca.Issue(t, "client", certauthtest.Valid(noon.Add(time.Second), noon.Add(time.Hour))).Certificate
	_, err := judgeAt(t, noon, certauth.All{certauth.Certificates(leaf), certauth.Validity{ClockSkew: time.Second}}, leaf)
	assert.NoError(t, err)
}
