package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestCombine_AllAnyNot(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("a.example"))
	yes, no := certauth.DNSNames{"a.example"}, certauth.DNSNames{"b.example"}
	not := func(p certauth.Policy) certauth.Not { return certauth.Not{Policy: p} }
	leaf := w.leaf.Certificate
	const name, policy = certauth.ReasonNameNotAllowed, certauth.ReasonPolicyRefused
	runVerdicts(t, []verdict{
		{"all: both", w.behind(yes, yes), leaf, certauth.ReasonNone},
		{"all: the first refuses", w.behind(no, yes), leaf, name},
		{"all: the last refuses", w.behind(yes, no), leaf, name},
		{"any: the first accepts", w.behind(certauth.Any{yes, no}), leaf, certauth.ReasonNone},
		{"any: the last accepts", w.behind(certauth.Any{no, yes}), leaf, certauth.ReasonNone},
		{"any: none accepts", w.behind(certauth.Any{no, no}), leaf, name},
		{"not: of a refusal", w.behind(not(no)), leaf, certauth.ReasonNone},
		{"not: of an acceptance", w.behind(not(yes)), leaf, policy},
		{"not not: of a refusal", w.behind(not(not(no))), leaf, name},
		{"not not: of an acceptance", w.behind(not(not(yes))), leaf, certauth.ReasonNone},
		{"not any: none", w.behind(not(certauth.Any{no, no})), leaf, certauth.ReasonNone},
		{"not any: one", w.behind(not(certauth.Any{no, yes})), leaf, policy},
		{"not all: one", w.behind(not(certauth.All{yes, no})), leaf, certauth.ReasonNone},
		{"not all: both", w.behind(not(certauth.All{yes, yes})), leaf, policy},
		{"not named", w.behind(not(certauth.Named{Name: "role", Policy: no})), leaf, certauth.ReasonNone},
		{"a panic refuses", w.behind(panics()), leaf, certauth.ReasonInternalError},
		{"a panic in the first branch refuses the whole any", certauth.Any{w.behind(panics()), w.chain()}, leaf, certauth.ReasonInternalError},
		{"a panic in a later named branch refuses the whole any", certauth.Any{w.chain(), certauth.Named{Name: "x", Policy: w.behind(panics())}}, leaf, certauth.ReasonInternalError},
		{"a later branch without a name is not asked", certauth.Any{w.chain(), w.behind(panics())}, leaf, certauth.ReasonNone},
	})
}

// Of the members of an Any, the one that came furthest explains the most.
func TestCombine_AnyReportsTheBranchThatCameFurthest(t *testing.T) {
	w := newWorld(t)
	stranger := chainOf(certauthtest.NewCA(t, "Other CA"))
	pin := certauth.Thumbprints{pinOfNobody}
	for _, order := range []certauth.Any{
		{pin, stranger, w.behind(certauth.CommonNames{"admin"})},
		{w.behind(certauth.CommonNames{"admin"}), pin, stranger},
	} {
		_, err := judge(t, order, w.leaf.Certificate)
		assert.Equal(t, certauth.ReasonNameNotAllowed, reasonOf(err), "%v", err)
	}
	_, err := judge(t, certauth.Any{pin, stranger}, w.leaf.Certificate)
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
}

// errors.Is finds the reason, as the doc of Error says, and no other: a service that answers by
// reason must not find two reasons in one refusal.
func TestCombine_RefusalOfAnyHasOneReason(t *testing.T) {
	w := newWorld(t)
	revoked := w.behind(certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationRevoked}, nil}})
	_, err := judge(t, certauth.Any{revoked, certauth.Thumbprints{pinOfNobody}, w.behind(certauth.CommonNames{"admin"})}, w.leaf.Certificate)
	require.Equal(t, certauth.ReasonCertificateRevoked, reasonOf(err))
	assert.ErrorIs(t, err, certauth.ReasonCertificateRevoked)
	assert.NotErrorIs(t, err, certauth.ReasonNameNotAllowed)
	assert.NotErrorIs(t, err, certauth.ReasonPinMismatch)
}

// The text of a refusal is built from each of its parts once, however deeply Any is nested.
func TestCombine_TextOfANestedAnyIsBuiltInLinearTime(t *testing.T) {
	calls := 0
	counted := says(counting{&calls})
	policy := certauth.Policy(counted)
	const depth = 16
	for range depth {
		policy = certauth.Any{policy, counted}
	}
	w := newWorld(t)
	_, err := judge(t, w.behind(policy), w.leaf.Certificate)
	require.Error(t, err)
	calls = 0
	_ = err.Error()
	assert.LessOrEqual(t, calls, 100*depth, "texts built for %d branches", depth+1)
}

type counting struct{ calls *int }

func (c counting) Error() string { *c.calls++; return "no" }

func TestCombine_NamedGivesRoles(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("a.example"))
	yes, no := certauth.DNSNames{"a.example"}, certauth.DNSNames{"b.example"}
	named := func(name string, p certauth.Policy) certauth.Named { return certauth.Named{Name: name, Policy: p} }
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		want   []string
	}{
		{"none", w.chain(), nil},
		{"one", named("partner", w.chain()), []string{"partner"}},
		{"nested, inside out", named("outer", certauth.All{named("inner", w.chain()), yes}), []string{"inner", "outer"}},
		{"any goes on for names", w.behind(certauth.Any{named("first", yes), named("second", yes), named("third", no), named("fourth", yes)}), []string{"first", "second", "fourth"}},
		{"any goes on for names within", w.behind(certauth.Any{yes, certauth.All{yes, named("deep", yes)}, certauth.Any{no, named("deeper", yes)}}), []string{"deep", "deeper"}},
		{"a name once", w.behind(named("role", yes), named("role", yes)), []string{"role"}},
		{"a refused branch leaves its names out", w.behind(certauth.Any{certauth.All{named("lost", yes), no}, named("kept", yes)}), []string{"kept"}},
		{"a later refused branch leaves its names out", w.behind(certauth.Any{yes, certauth.All{named("lost", yes), no}}), nil},
		{"under Not nothing is recorded", w.behind(certauth.Not{Policy: certauth.All{named("lost", yes), no}}), nil},
		{"under Not Not nothing is recorded", w.behind(certauth.Not{Policy: certauth.Not{Policy: named("lost", yes)}}), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := judge(t, tc.policy, w.leaf.Certificate)
			require.NoError(t, err)
			assert.Equal(t, tc.want, append([]string(nil), id.Matched...))
		})
	}
}

// pantheon go-certauth; vault #7537 and its merged OCSP settings: data of a failed branch leaked
// into the identity.
func TestIdentity_FailedBranchLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	good := certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood, Source: "failed branch"}, nil}}
	failing := certauth.All{certauth.Named{Name: "lost", Policy: w.chain()}, good, certauth.CommonNames{"admin"}}
	t.Run("under a key pin", func(t *testing.T) {
		id, err := judge(t, certauth.Any{failing, certauth.PublicKeys{spkiPin(leaf)}}, leaf)
		require.NoError(t, err)
		assert.Empty(t, id.Matched)
		assert.Nil(t, id.Chains)
		assert.Zero(t, id.Revocation)
		assert.False(t, id.NamesVouched())
	})
	t.Run("beside a branch with evidence of its own", func(t *testing.T) {
		kept := certauth.Revocation{Status: certauth.RevocationGood, Source: "kept branch"}
		accepting := certauth.All{certauth.Named{Name: "kept", Policy: w.chain()}, certauth.NotRevoked{Checker: answer{kept, nil}}}
		for _, order := range []certauth.Any{{failing, accepting}, {accepting, failing}} {
			id, err := judge(t, order, leaf)
			require.NoError(t, err)
			assert.Equal(t, []string{"kept"}, id.Matched)
			assert.Len(t, id.Chains, 1)
			assert.Equal(t, kept, id.Revocation)
		}
	})
	t.Run("a function sees nothing of it", func(t *testing.T) {
		var seen *certauth.Identity
		look := certauth.PolicyFunc{Name: "look", Func: func(_ context.Context, id *certauth.Identity) error { seen = id; return nil }}
		_, err := judge(t, certauth.All{certauth.Any{failing, certauth.PublicKeys{spkiPin(leaf)}}, look}, leaf)
		require.NoError(t, err)
		assert.Empty(t, seen.Matched)
		assert.Empty(t, seen.Chains)
		assert.Zero(t, seen.Revocation)
		assert.False(t, seen.NamesVouched())
	})
}

// Promise 2: no input turns an error into an acceptance. An unreadable name is not "another name".
func TestCombine_NotTurnsNoErrorIntoAnAcceptance(t *testing.T) {
	w := newWorld(t)
	not := func(p certauth.Policy) certauth.Policy { return w.behind(certauth.Not{Policy: p}) }
	twoNames := w.issue(t, rawSubject(t, utf8Name("good"), utf8Name("blocked")))
	unreadable := w.issue(t, rawSubject(t, latin1Name("bl\xF6cked")))
	oddMail := w.issue(t, certauthtest.Email("x@y@blocked.example"))
	const oid = "1.3.6.1.4.1.99999.3"
	sequence := w.issue(t, withExtension(oid, []byte{0x30, 0x03, 0x0C, 0x01, 'x'}))
	trailing := w.issue(t, withExtension(oid, append([]byte{0x0C, 0x07}, "blocked!"...)))
	for _, row := range []struct {
		name   string
		policy certauth.Policy
		leaf   *x509.Certificate
	}{
		{"two common names", not(certauth.CommonNames{"blocked"}), twoNames},
		{"two common names beside another rule", not(certauth.Any{certauth.Organizations{"x"}, certauth.CommonNames{"blocked"}}), twoNames},
		{"a common name in an encoding that is not read", not(certauth.CommonNames{"blöcked"}), unreadable},
		{"a subject in an encoding that is not read", not(certauth.Subject{"CN=blöcked"}), unreadable},
		{"an e-mail address that is no mailbox", not(certauth.Emails{"@blocked.example"}), oddMail},
		{"an extension that holds no text", not(certauth.Extension{OID: oid, Text: []string{"blocked"}}), sequence},
		{"an extension with bytes after the text", not(certauth.Extension{OID: oid, Text: []string{"blocked"}}), trailing},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := judge(t, row.policy, row.leaf)
			assert.Error(t, err, "Not made an acceptance of what could not be read")
		})
	}
	const cannot = ": not allowed under Not; only rules on names, issuers and extensions are"
	runMisconfigured(t, []misconfigured{
		{"a function", not(says(nil)), []string{`Policy.All[1].Not.PolicyFunc("says")` + cannot}},
		{"revocation", not(certauth.NotRevoked{Checker: answer{}}), []string{"Policy.All[1].Not.NotRevoked" + cannot}},
		{"a chain", not(w.chain()), []string{"Policy.All[1].Not.Chain" + cannot}},
		{"a key pin", not(certauth.PublicKeys{pinOfNobody}), []string{"Policy.All[1].Not.PublicKeys" + cannot}},
		{"dates", not(certauth.Validity{MaxLifetime: time.Hour}), []string{"Policy.All[1].Not.Validity" + cannot}},
		{"keys", not(certauth.Keys{MinECBits: 384}), []string{"Policy.All[1].Not.Keys" + cannot}},
		{"a deny list", not(certauth.Denied{PublicKeys: []string{pinOfNobody}}), []string{"Policy.All[1].Not.Denied" + cannot}},
		{"a function deep below", not(certauth.Any{certauth.All{certauth.Not{Policy: says(nil)}}}), []string{`Policy.All[1].Not.Any[0].All[0].Not.PolicyFunc("says")` + cannot}},
	})
}

func TestCombine_StaticErrors(t *testing.T) {
	w := newWorld(t)
	chain := certauth.Policy(w.chain())
	const anchor = ": accepts without an anchor; add a Chain or a pin"
	const before = ": comes before any anchor; put a Chain or a pin of the certificate before it"
	runMisconfigured(t, []misconfigured{
		{"an empty All", certauth.All{}, []string{"Policy.All: empty"}},
		{"an empty Any", certauth.Any{}, []string{"Policy.Any: empty"}},
		{"an empty All within", certauth.All{chain, certauth.All{}}, []string{"Policy.All[1].All: empty"}},
		{"an empty Any within", certauth.All{chain, certauth.Any{}}, []string{"Policy.All[1].Any: empty"}},
		{"nil in All", certauth.All{chain, nil}, []string{"Policy.All[1]: nil policy"}},
		{"nil in Any", certauth.Any{nil, chain}, []string{"Policy.Any[0]: nil policy"}},
		{"typed nil", certauth.All{chain, (*certauth.Chain)(nil)}, []string{"Policy.All[1]: nil policy"}},
		{"nil in Not", certauth.All{chain, certauth.Not{}}, []string{"Policy.All[1].Not: nil policy"}},
		{"nil and no name in Named", certauth.Named{}, []string{"Policy.Named.Name: empty", `Policy.Named(""): nil policy`}},
		{"a name before the anchor", certauth.All{certauth.DNSNames{"a.example"}, chain}, []string{"Policy.All[0].DNSNames" + before}},
		{"a name alone", certauth.DNSNames{"a.example"}, []string{"Policy.DNSNames" + before}},
		{"one branch without an anchor", certauth.Any{chain, certauth.Keys{MinECBits: 256}}, []string{"Policy.Any[1]" + anchor}},
		{"a branch that vouches for nothing limits the rules after it", certauth.All{certauth.Any{chain, certauth.Keys{MinECBits: 256}}, certauth.DNSNames{"a.example"}}, []string{"Policy.All[1].DNSNames" + before}},
		{"Not is no anchor", certauth.Not{Policy: certauth.DNSNames{"a.example"}}, []string{"Policy.Not.DNSNames" + before}},
		{"dates are no anchor", certauth.Validity{MaxLifetime: time.Hour}, []string{"Policy" + anchor}},
		{"a path through Named", certauth.Named{Name: "ops", Policy: certauth.All{chain, certauth.DNSNames{}}}, []string{`Policy.Named("ops").All[1].DNSNames: empty`}},
	})
}

// Cyclic, deep and huge trees are errors of New, and New returns.
func TestCombine_OvergrownTreesAreRefused(t *testing.T) {
	w := newWorld(t)
	nest := func(depth int, wrap func(certauth.Policy) certauth.Policy) certauth.Policy {
		policy := certauth.Policy(w.chain())
		for range depth {
			policy = wrap(policy)
		}
		return policy
	}
	one := func(p certauth.Policy) certauth.Policy { return certauth.All{p} }
	allLoop, anyLoop := certauth.All{w.chain(), nil, nil}, certauth.Any{nil, nil}
	allLoop[1], allLoop[2], anyLoop[0], anyLoop[1] = allLoop, allLoop, anyLoop, anyLoop
	var wide certauth.Any
	for range 10_001 {
		wide = append(wide, w.chain())
	}
	overgrown := "nested deeper than 32 or more than 10000 policies"
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
	}{
		{"33 deep", nest(32, one)},
		{"a thousand deep", nest(1000, one)},
		{"a loop of All", allLoop},
		{"a loop of Any", anyLoop},
		{"10001 branches", wide},
		{"shared branches that double at each level, All", nest(30, func(p certauth.Policy) certauth.Policy { return certauth.All{p, p} })},
		{"shared branches that double at each level, Any", nest(30, func(p certauth.Policy) certauth.Policy { return certauth.Any{p, p} })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.ErrorContains(t, inTime(t, func() error {
				_, err := certauth.New(certauth.Config{Source: fixedSource("test"), Policy: tc.policy})
				return err
			}), overgrown)
		})
	}
	_, err := judge(t, nest(31, one), w.leaf.Certificate)
	assert.NoError(t, err, "32 deep")
}

// A context that ends before or during the policy refuses, whatever the policy answers.
func TestCombine_EndedContextRefuses(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	leaves := certauth.PolicyFunc{Name: "leaves", Func: func(context.Context, *certauth.Identity) error { cancel(); return nil }}
	auth := authOf(t, certauth.Any{w.behind(leaves), w.chain()}, time.Time{}, w.leaf.Certificate)
	for range 2 { // ended within, and ended before
		id, err := auth.Check(request().WithContext(ctx))
		assert.Nil(t, id)
		assert.Equal(t, certauth.ReasonRequestCanceled, reasonOf(err), "%v", err)
		assert.ErrorIs(t, err, context.Canceled)
	}
}

// A name in the wrong order differs from every certificate; Not must not turn that into an
// acceptance.
func TestNot_ReversedNameAcceptsNobody(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client").Certificate
	behind := func(p certauth.Policy) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, certauth.Not{Policy: p}}
	}
	runVerdicts(t, []verdict{
		{"the excluded issuer", behind(certauth.IssuerName{"CN=CA,O=certauthtest"}), leaf, certauth.ReasonPolicyRefused},
		{"the excluded issuer, reversed", behind(certauth.IssuerName{"O=certauthtest,CN=CA"}), leaf, certauth.ReasonIssuerNotAllowed},
		{"the excluded subject, reversed", behind(certauth.Subject{"O=certauthtest,CN=client"}), leaf, certauth.ReasonNameNotAllowed},
		{"another issuer", behind(certauth.IssuerName{"CN=Other,O=certauthtest"}), leaf, certauth.ReasonNone},
	})
	runMisconfigured(t, []misconfigured{
		{"a name that never binds", behind(certauth.CommonNames{"client "}), []string{`Policy.All[1].Not.CommonNames[0]: "client " has a leading or trailing space`}},
	})
}

// finding T13: the clients of a CA that was excluded by its name were accepted if the CA wrote its name in another
// letter case, spacing or string type into their certificates.
//
// RFC 5280, section 7.1, has these names equal, so the chain of such a certificate verifies.
func TestNot_ANameInAnotherSpellingAcceptsNobody(t *testing.T) {
	const utf8, printable, bmp = asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagBMPString
	name := func(organization, common nameValue) []byte {
		organization.oid, common.oid = oidO, oidCN
		return nameOf(t, organization, common)
	}
	usual := name(nameValue{tag: printable, text: "Example Works"}, nameValue{tag: printable, text: "Puppet CA"})
	excluded := newRoot(t, "", func(c *x509.Certificate) { c.RawSubject = usual })
	other := newRoot(t, "Other CA")
	behind := func(p certauth.Policy) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certsFrom(excluded, other)}, certauth.Not{Policy: p}}
	}
	byIssuer := certauth.IssuerName{"CN=Puppet CA,O=Example Works"}
	runVerdicts(t, []verdict{
		{"the issuer as it is listed", behind(byIssuer), excluded.newClient(t).Certificate, certauth.ReasonPolicyRefused},
		{"another issuer", behind(byIssuer), other.newClient(t).Certificate, certauth.ReasonNone},
		{"another subject", behind(certauth.Subject{"CN=somebody"}), other.newClient(t).Certificate, certauth.ReasonNone},
	})
	for spelling, der := range map[string][]byte{
		"UTF8String":             name(nameValue{tag: utf8, text: "EXAMPLE works"}, nameValue{tag: utf8, text: "Puppet CA"}),
		"another letter case":    name(nameValue{tag: printable, text: "Example Works"}, nameValue{tag: printable, text: "PUPPET ca"}),
		"other spacing":          name(nameValue{tag: printable, text: " Example  Works"}, nameValue{tag: printable, text: "Puppet   CA "}),
		"BMPString":              name(nameValue{tag: bmp, text: "example works"}, nameValue{tag: bmp, text: "Puppet CA"}),
		"the opposite order too": nameOf(t, nameValue{oidCN, utf8, "puppet ca"}, nameValue{oidO, utf8, "Example Works"}),
	} {
		leaf := excluded.spelled(der).newClient(t).Certificate
		bySubject := other.newClient(t, func(c *x509.Certificate) { c.RawSubject = der }).Certificate
		rows := []verdict{
			{"the subject", behind(certauth.Subject{"CN=Puppet CA,O=Example Works"}), bySubject, certauth.ReasonNameNotAllowed},
		}
		if spelling != "the opposite order too" { // in which the chain does not verify
			rows = append(rows,
				verdict{"the chain alone", certauth.Chain{Roots: certsFrom(excluded)}, leaf, certauth.ReasonNone},
				verdict{"the issuer", behind(byIssuer), leaf, certauth.ReasonIssuerNotAllowed},
				verdict{"one of two", behind(certauth.Any{certauth.CommonNames{"eve"}, byIssuer}), leaf, certauth.ReasonIssuerNotAllowed},
				verdict{"under two", behind(certauth.Not{Policy: byIssuer}), leaf, certauth.ReasonIssuerNotAllowed},
			)
		}
		t.Run(spelling, func(t *testing.T) { runVerdicts(t, rows) })
	}
}

// finding T20: a client that was excluded by its subject was accepted if its CA wrote the name with letters that are
// composed differently, or with characters that RFC 5280 ignores; and one that was excluded by its organization or
// another attribute, if its CA wrote that in another letter case.
//
// By RFC 5280, section 7.1, each of these names is the listed one.
func TestNot_ASpellingOfAListedNameAcceptsNobody(t *testing.T) {
	const utf8, printable = asn1.TagUTF8String, asn1.TagPrintableString
	root := newRoot(t, "CA")
	chain := certauth.Chain{Roots: certsFrom(root)}
	excludes := func(p certauth.Policy) certauth.Policy { return certauth.All{chain, certauth.Not{Policy: p}} }
	bearing := func(organization, common nameValue) *x509.Certificate {
		organization.oid, common.oid = oidO, oidCN
		return root.newClient(t, func(c *x509.Certificate) { c.RawSubject = nameOf(t, organization, common) }).Certificate
	}
	partner := nameValue{tag: utf8, text: "Partner"}
	const listed = "Z\u00FCrich office"
	for spelling, text := range map[string]string{
		"a combining accent": "Zu\u0308rich office", "a soft hyphen": "Z\u00FCrich of\u00ADfice", "a zero-width space": "Z\u00FCrich\u200B office",
		"a ligature": "Z\u00FCrich o\uFB03ce", "full-width letters": "Z\u00FCrich \uFF4Fffice", "another letter case": "Z\u00DCRICH OFFICE", "two spaces": "Z\u00FCrich  office",
	} {
		t.Run(spelling, func(t *testing.T) {
			leaf := bearing(partner, nameValue{tag: utf8, text: text})
			byOrganization := bearing(nameValue{tag: utf8, text: text}, nameValue{tag: utf8, text: "client"})
			runVerdicts(t, []verdict{
				{"by subject", excludes(certauth.Subject{"CN=" + listed + ",O=Partner"}), leaf, certauth.ReasonNameNotAllowed},
				{"by subject, reversed", excludes(certauth.Subject{"O=Partner,CN=" + listed}), leaf, certauth.ReasonNameNotAllowed},
				{"by common name", excludes(certauth.CommonNames{listed}), leaf, certauth.ReasonNameNotAllowed},
				{"by organization", excludes(certauth.Organizations{"Other", listed}), byOrganization, certauth.ReasonNameNotAllowed},
				{"under two", excludes(certauth.Not{Policy: certauth.Organizations{listed}}), byOrganization, certauth.ReasonNameNotAllowed},
			})
		})
	}
	others := certauth.Any{certauth.Subject{"CN=" + listed + ",O=Partner", "CN=\u4F50\u85E4,O=Partner"}, certauth.CommonNames{listed, "\u4F50\u85E4"}}
	runVerdicts(t, []verdict{
		{"the listed name", excludes(others), bearing(partner, nameValue{tag: utf8, text: listed}), certauth.ReasonPolicyRefused},
		{"the listed name in Japanese", excludes(others), bearing(partner, nameValue{tag: utf8, text: "\u4F50\u85E4"}), certauth.ReasonPolicyRefused},
		{"another name", excludes(others), bearing(partner, nameValue{tag: printable, text: "Zurich office"}), certauth.ReasonNone},
		{"another name in Japanese", excludes(others), bearing(partner, nameValue{tag: utf8, text: "\u7530\u4E2D"}), certauth.ReasonNone},
		{"another name in Arabic", excludes(others), bearing(partner, nameValue{tag: utf8, text: "\u0639\u0644\u064A"}), certauth.ReasonNone},
		{"another name in Korean", excludes(others), bearing(partner, nameValue{tag: utf8, text: "\uAE40\uCCA0\uC218"}), certauth.ReasonNone},
	})
}

// A value is compared with each excluded one, so the number of values is limited.
func TestNot_ManyValuesOfOneAttributeAcceptNobody(t *testing.T) {
	root := newRoot(t, "CA")
	bearing := func(n int) *x509.Certificate {
		organizations := slices.Repeat([]nameValue{{oidO, asn1.TagUTF8String, "Partner"}}, n)
		return root.newClient(t, func(c *x509.Certificate) { c.RawSubject = nameOf(t, organizations...) }).Certificate
	}
	excludes := func(names ...string) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certsFrom(root)}, certauth.Not{Policy: certauth.Organizations(names)}}
	}
	runVerdicts(t, []verdict{
		{"16 organizations", excludes("Other"), bearing(16), certauth.ReasonNone},
		{"17 organizations", excludes("Other"), bearing(17), certauth.ReasonNameNotAllowed},
		{"17 organizations, listed", excludes("Partner"), bearing(17), certauth.ReasonPolicyRefused},
	})
	const tooMany = "want at most 16"
	_, err := judge(t, excludes("PARTNER"), bearing(16))
	assert.NotContains(t, err.Error(), tooMany, "16 are compared, and one of them is listed in another letter case")
	_, err = judge(t, excludes("PARTNER"), bearing(17))
	assert.ErrorContains(t, err, tooMany)
}

// A member of Any is judged as if it stood alone: the chain that another member verified does not
// help it.
func TestAny_BranchesDoNotSeeEachOther(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	viaA := rootA.NewIntermediate(t, "Issuing")
	leaf := viaA.Issue(t, "client")
	viaB := rootB.CrossSign(t, viaA)
	chainA := certauth.Chain{Roots: certauth.Certificates(rootA.Certificate), Intermediates: certauth.Certificates(viaA.Certificate)}
	chainB := certauth.Chain{Roots: certauth.Certificates(rootB.Certificate), Intermediates: certauth.Certificates(viaB)}
	byA := certauth.IssuedBy{Thumbprints: []string{thumbprint(viaA.Certificate)}}
	admin := certauth.Named{Name: "admin", Policy: certauth.All{chainB, byA}}

	_, err := judge(t, admin, leaf.Certificate)
	require.Error(t, err, "alone the branch refuses: B's chain goes through the other certificate")
	id, err := judge(t, certauth.Any{chainA, admin}, leaf.Certificate)
	require.NoError(t, err)
	assert.Empty(t, id.Matched)
	assert.Len(t, id.Chains, 1)

	id, err = judge(t, certauth.Any{certauth.Named{Name: "a", Policy: chainA}, certauth.Named{Name: "b", Policy: chainB}}, leaf.Certificate)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, id.Matched)
	assert.Len(t, id.Chains, 2, "after the Any both count")

	runMisconfigured(t, []misconfigured{{
		"a name of a sibling",
		certauth.Any{certauth.Named{Name: "a", Policy: chainA}, certauth.All{chainB, certauth.Matched{"a"}}},
		[]string{`Policy.Any[1].All[1].Matched[0]: no Named before it has the name "a"`},
	}})
}

// Later rules may rely on what the weakest member of an Any establishes, wherever that member is.
func TestAny_LaterRulesBuildOnTheWeakestBranch(t *testing.T) {
	strong := certauth.Chain{Roots: certauth.Certificates(certauthtest.NewCA(t, "CA").Certificate)}
	weak := certauth.PublicKeys{pinOfNobody}
	const path = "Policy.All[1].DNSNames: a public-key pin does not vouch for names; add a Chain or pin the certificate"
	runMisconfigured(t, []misconfigured{
		{"the weak one first", certauth.All{certauth.Any{weak, strong}, certauth.DNSNames{"a.example"}}, []string{path}},
		{"the weak one last", certauth.All{certauth.Any{strong, weak}, certauth.DNSNames{"a.example"}}, []string{path}},
		{"the weak one between", certauth.All{certauth.Any{strong, weak, strong}, certauth.DNSNames{"a.example"}}, []string{path}},
	})
}

// A member that could not be judged refuses the whole Any: another member must not hide the
// failure.
func TestAny_BrokenBranchRefusesTheWhole(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	pin := certauth.Certificates(leaf.Certificate)
	for _, reason := range []certauth.Reason{certauth.ReasonInternalError, certauth.ReasonRequestCanceled} {
		broken := certauth.All{pin, certauth.PolicyFunc{Name: "broken", Func: func(context.Context, *certauth.Identity) error {
			return &certauth.Error{Reason: reason}
		}}}
		runVerdicts(t, []verdict{
			{"before an accepting branch", certauth.Any{broken, pin}, leaf.Certificate, reason},
			{"after an accepting branch, with a name", certauth.Any{pin, certauth.Named{Name: "n", Policy: broken}}, leaf.Certificate, reason},
		})
	}
}

func TestAny_RefusalTellsOfEveryBranch(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	pin := certauth.Certificates(leaf.Certificate)
	_, err := judge(t, certauth.Any{certauth.Thumbprints{pinOfNobody}, certauth.All{pin, certauth.CommonNames{"other"}}}, leaf.Certificate)
	require.EqualError(t, err, `certauth: Policy.Any[1].All[1].CommonNames: name_not_allowed: have 1 ("client"), want one of 1 ("other"); `+
		`Policy.Any[0].Thumbprints: pin_mismatch: the certificate matches none of 1 pins`)

	single, err := judge(t, certauth.Any{certauth.Thumbprints{pinOfNobody}}, leaf.Certificate)
	assert.Nil(t, single)
	require.EqualError(t, err, "certauth: Policy.Any[0].Thumbprints: pin_mismatch: the certificate matches none of 1 pins")

	many := certauth.Any{}
	for range 7 {
		many = append(many, certauth.All{pin, certauth.CommonNames{"o"}})
	}
	_, err = judge(t, many, leaf.Certificate)
	require.ErrorContains(t, err, "; and 2 more")
	assert.ErrorContains(t, err, "Policy.Any[0].", "of equals the first is named")
	assert.Equal(t, 5, strings.Count(err.Error(), "Policy.Any["))
}

func TestMatched_IsCheckedWhereItStands(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	named := certauth.Named{Name: "n", Policy: certauth.Certificates(leaf.Certificate)}
	runMisconfigured(t, []misconfigured{
		{"under Not", certauth.All{named, certauth.Not{Policy: certauth.Matched{"n"}}}, []string{
			"Policy.All[1].Not.Matched: not allowed under Not; only rules on names, issuers and extensions are",
		}},
		{"before an anchor", certauth.Matched{"n"}, []string{
			"Policy.Matched: comes before any anchor; put a Chain or a pin before it",
			`Policy.Matched[0]: no Named before it has the name "n"`,
		}},
	})
}

// What a member of Any requires of chains applies to the chains that later rules verify, whichever
// accepting member required it.
func TestAny_RulesOnChainsInABranchHoldLater(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client")
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	pin := certauth.Thumbprints{leaf.Thumbprint()}
	denied := certauth.Denied{PublicKeys: []string{spkiPin(ca.Certificate)}}
	harmless := certauth.Denied{PublicKeys: []string{pinOfNobody}}
	named := func(p ...certauth.Policy) certauth.Policy { return certauth.Named{Name: "n", Policy: certauth.All(p)} }
	runVerdicts(t, []verdict{
		{"in the only branch", certauth.All{certauth.Any{certauth.All{pin, denied}}, chain}, leaf.Certificate, certauth.ReasonCertificateDenied},
		{"in each branch", certauth.All{certauth.Any{certauth.All{pin, denied}, named(pin, denied)}, chain}, leaf.Certificate, certauth.ReasonCertificateDenied},
		{"in a later branch, of which nothing stays", certauth.All{certauth.Any{pin, named(pin, denied)}, chain}, leaf.Certificate, certauth.ReasonNone},
		{"after one that denies nothing", certauth.All{pin, harmless, denied, chain}, leaf.Certificate, certauth.ReasonCertificateDenied},
		{"in a branch that was not taken", certauth.All{certauth.Any{pin, certauth.All{pin, denied}}, chain}, leaf.Certificate, certauth.ReasonNone},
	})
}

func TestAny_AcceptingBranchesAreAddedUp(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client")
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	good := certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood, Source: "ocsp"}, nil}}
	other := certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood, Source: "crl"}, nil}}
	key := certauth.PublicKeys{spkiPin(leaf.Certificate)}

	id, err := judge(t, certauth.Any{key, certauth.Named{Name: "n", Policy: certauth.All{chain, good}}}, leaf.Certificate)
	require.NoError(t, err)
	assert.True(t, id.NamesVouched(), "the strongest branch vouches")
	assert.Equal(t, "ocsp", id.Revocation.Source, "evidence of the branch that has some")

	id, err = judge(t, certauth.Any{certauth.Named{Name: "n", Policy: certauth.All{chain, good}}, certauth.Named{Name: "n", Policy: certauth.All{chain, other}}}, leaf.Certificate)
	require.NoError(t, err)
	assert.Equal(t, []string{"n"}, id.Matched, "a name once")
	assert.Equal(t, "ocsp", id.Revocation.Source, "the first evidence stays")
}

// Not around an Any with a member that could not be answered accepts nobody, whichever member it
// is.
func TestNot_UnansweredBranchOfAnyAcceptsNobody(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t, rawSubject(t, utf8Name("good"), utf8Name("blocked"))) // two names: no answer
	for name, list := range map[string]certauth.Any{
		"first":   {certauth.CommonNames{"blocked"}, certauth.Organizations{"x"}, certauth.Organizations{"y"}},
		"between": {certauth.Organizations{"x"}, certauth.CommonNames{"blocked"}, certauth.Organizations{"y"}},
		"last":    {certauth.Organizations{"x"}, certauth.Organizations{"y"}, certauth.CommonNames{"blocked"}},
	} {
		_, err := judge(t, w.behind(certauth.Not{Policy: list}), leaf)
		assert.Error(t, err, name)
	}
}

// After an Any, what all its members establish is established, in whatever order they are.
func TestAny_EstablishesOnlyWhatEveryBranchDoes(t *testing.T) {
	chain := certauth.Chain{Roots: certauth.Certificates(certauthtest.NewCA(t, "CA").Certificate)}
	public := certauth.Chain{Roots: certauth.InsecureSystemRoots()}
	pin := certauth.Thumbprints{pinOfNobody}
	const noChain = "Policy.All[1].IssuerName: comes before any Chain; put a Chain before it, because without one anybody can forge an issuer's name"
	const everybody = "Policy: accepts a certificate of every public CA; add a rule on names or IssuedBy"
	named := certauth.All{public, certauth.DNSNames{"a.example"}}
	runMisconfigured(t, []misconfigured{
		{"a chain in the last branch only", certauth.All{certauth.Any{pin, chain}, certauth.IssuerName{"CN=CA"}}, []string{noChain}},
		{"a chain in the first branch only", certauth.All{certauth.Any{chain, pin}, certauth.IssuerName{"CN=CA"}}, []string{noChain}},
		{"public CAs in the last branch", certauth.Any{pin, public}, []string{everybody}},
		{"public CAs in the first branch", certauth.Any{public, pin}, []string{everybody}},
		{"a name in the first branch only", certauth.Any{named, public}, []string{everybody}},
		{"a name in the last branch only", certauth.Any{public, named}, []string{everybody}},
	})
	for name, policy := range map[string]certauth.Policy{
		"a chain in both":            certauth.All{certauth.Any{chain, certauth.All{pin, chain}}, certauth.IssuerName{"CN=CA"}},
		"public CAs, named in both":  certauth.Any{named, certauth.All{public, certauth.CommonNames{"b"}}},
		"public CAs, named after it": certauth.All{certauth.Any{public, pin}, certauth.CommonNames{"b"}},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: policy})
		assert.NoError(t, err, name)
	}
	for name, tc := range map[string]struct {
		policy certauth.Policy
		want   bool
	}{
		"a chain alone":                         {chain, false},
		"a chain and a name":                    {certauth.All{chain, certauth.CommonNames{"b"}}, true},
		"a pin":                                 {pin, true},
		"a pin or a chain":                      {certauth.Any{pin, chain}, false},
		"a chain or a pin":                      {certauth.Any{chain, pin}, false},
		"a chain and who issued it":             {certauth.All{chain, certauth.IssuerName{"CN=CA"}}, false},
		"a chain and a user's rule":             {certauth.All{chain, certauth.PolicyFunc{Name: "p", Func: func(context.Context, *certauth.Identity) error { return nil }}}, true},
		"a chain and the value of an extension": {certauth.All{chain, certauth.Extension{OID: "1.2.3", Text: []string{"a"}}}, true},
		"finding T146: a chain and an extension of any value": {certauth.All{chain, certauth.Extension{OID: "1.2.3", Present: true}}, false},
		"a chain and not some names":                          {certauth.All{chain, certauth.Not{Policy: certauth.CommonNames{"b"}}}, false},
	} {
		_, err := certauth.New(certauth.Config{Source: gated{tc.policy}, Policy: chain})
		if tc.want {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, "the gate would accept every certificate of the CA", name)
		}
	}
}

func TestMatched_TakesTheNamesGivenBefore(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("a.example"))
	leaf := w.leaf.Certificate
	named := func(name string, dns string) certauth.Policy {
		return certauth.Named{Name: name, Policy: certauth.DNSNames{dns}}
	}
	roles := certauth.Any{named("reader", "a.example"), named("writer", "b.example")}
	runVerdicts(t, []verdict{
		{"a name that matched", w.behind(roles, certauth.Matched{"reader"}), leaf, certauth.ReasonNone},
		{"one of two", w.behind(roles, certauth.Matched{"writer", "reader"}), leaf, certauth.ReasonNone},
		{"a name that did not", w.behind(roles, certauth.Matched{"writer"}), leaf, certauth.ReasonPolicyRefused},
	})
	const path = "Policy.All[2].Matched"
	runMisconfigured(t, []misconfigured{
		{"a name that nobody has", w.behind(roles, certauth.Matched{"reader", "raeder"}), []string{path + `[1]: no Named before it has the name "raeder"`}},
		{"an empty list", w.behind(roles, certauth.Matched{}), []string{path + ": empty"}},
		{"before the name", w.behind(certauth.Matched{"reader"}, roles), []string{`Policy.All[1].Matched[0]: no Named before it has the name "reader"`}},
		{"a name under Not, where none is recorded", w.behind(certauth.Not{Policy: named("reader", "b.example")}, certauth.Matched{"reader"}), []string{path + `[0]: no Named before it has the name "reader"`}},
	})
}

// A member that failed gives no name, so "has no such name" is unknown: Not around Matched would
// turn an error into an acceptance (promise 2).
func TestMatched_NotOverItMakesNoErrorAnAcceptance(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t, rawSubject(t, utf8Name("x"), utf8Name("blocked"))) // two names: no answer, not "no"
	policy := w.behind(
		certauth.Any{certauth.Named{Name: "blocked", Policy: certauth.CommonNames{"blocked"}}, certauth.Keys{MinECBits: 256}},
		certauth.Not{Policy: certauth.Matched{"blocked"}},
	)
	auth, err := certauth.New(certauth.Config{Source: fixedSource("test", leaf), Policy: policy})
	if err != nil {
		return // refusing the policy is equally good
	}
	_, err = auth.Check(request())
	assert.Error(t, err)
}

// Not accepts no value that cannot be read as a whole, even if it certainly differs as far as it can
// be read: nobody knows what the CA certified.
func TestNot_AnAttributeThatCannotBeReadAcceptsNobody(t *testing.T) {
	root := newRoot(t, "Root")
	leaf := func(value nameValue) *x509.Certificate {
		return root.newClient(t, func(c *x509.Certificate) { c.RawSubject = nameOf(t, value) }).Certificate
	}
	not := func(p certauth.Policy) certauth.Policy { return certauth.All{root.roots(), certauth.Not{Policy: p}} }
	unreadable := leaf(nameValue{oidO, asn1.TagT61String, "xyz\xFC"})
	runVerdicts(t, []verdict{
		{"another organization", not(certauth.Organizations{"abc"}), leaf(nameValue{oidO, asn1.TagUTF8String, "xyz"}), certauth.ReasonNone},
		{"one that cannot be read to its end", not(certauth.Organizations{"abc"}), unreadable, certauth.ReasonNameNotAllowed},
		{"one that cannot be read, and no common name", not(certauth.CommonNames{"abc"}), unreadable, certauth.ReasonNone},
		{"one that cannot be read, in another subject", not(certauth.Subject{"O=abc"}), unreadable, certauth.ReasonNameNotAllowed},
	})
}

// Not{SPIFFEIDs} accepts another SPIFFE ID, but no URI that is none.
func TestNot_OfSPIFFEIDs(t *testing.T) {
	w := newWorld(t)
	of := func(uris ...string) *x509.Certificate { return w.issue(t, certauthtest.URI(t, uris...)) }
	excluded := w.behind(certauth.Not{Policy: certauth.SPIFFEIDs{"spiffe://other.example"}})
	listed := w.behind(certauth.SPIFFEIDs{"spiffe://other.example"})
	runVerdicts(t, []verdict{
		{"of the trust domain", excluded, of("spiffe://other.example/a"), certauth.ReasonPolicyRefused},
		{"of another one", excluded, of("spiffe://partner.example/a"), certauth.ReasonNone},
		{"no SPIFFE ID", excluded, of("https://partner.example/a"), certauth.ReasonNameNotAllowed},
		{"no URI", excluded, of(), certauth.ReasonNone},
	})
	for uri, want := range map[string]string{"spiffe://partner.example/a": `have 1 ("spiffe://partner.example/a")`, "https://partner.example/a": "no SPIFFE ID among the alternative names"} {
		_, err := judge(t, listed, of(uri))
		assert.ErrorContains(t, err, want)
	}
}
