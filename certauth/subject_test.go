package certauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

func attr(oid asn1.ObjectIdentifier, tag int, value string) attribute {
	return attribute{oid, asn1.RawValue{Tag: tag, Bytes: []byte(value)}}
}

func utf8Name(value string) []attribute {
	return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.TagUTF8String, value)}
}

func printableName(value string) []attribute {
	return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.TagPrintableString, value)}
}

// latin1Name is a TeletexString, whose bytes beyond ASCII are read differently by every
// implementation.
func latin1Name(value string) []attribute {
	return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.TagT61String, value)}
}

func organization(value string) []attribute {
	return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 10}, asn1.TagUTF8String, value)}
}

// rawSubject encodes the subject RDN by RDN, most general first.
func rawSubject(t *testing.T, rdns ...[]attribute) certauthtest.Template {
	t.Helper()
	var sequence []asn1.RawValue
	for _, rdn := range rdns {
		set, err := asn1.MarshalWithParams(rdn, "set")
		require.NoError(t, err)
		sequence = append(sequence, asn1.RawValue{FullBytes: set})
	}
	der, err := asn1.Marshal(sequence)
	require.NoError(t, err)
	return func(c *x509.Certificate) { c.RawSubject = der }
}

// finding C16: Subject could not name a part that a CA wrote without a value, and refused the "OID." of .NET and Java.
//
// RFC 4514, section 2.4 (a value may be empty), and RFC 2253, section 4, with RFC 1779, for "OID.".
func TestSubject_EmptyValuesAndPrefixedOIDs(t *testing.T) {
	w := newWorld(t)
	unit := func(value string) []attribute {
		return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.TagUTF8String, value)}
	}
	psd2 := []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 97}, asn1.TagUTF8String, "PSDDE-BAFIN-1")}
	empty := w.issue(t, rawSubject(t, organization("Partner"), unit(""), utf8Name("billing")))
	without := w.issue(t, rawSubject(t, organization("Partner"), utf8Name("billing")))
	space := w.issue(t, rawSubject(t, organization("Partner"), unit(" "), utf8Name("billing")))
	numbered := w.issue(t, rawSubject(t, organization("Partner"), psd2))
	const no, yes = certauth.ReasonNameNotAllowed, certauth.ReasonNone
	for _, row := range []struct {
		text string
		leaf *x509.Certificate
		want certauth.Reason
	}{
		{"CN=billing,OU=,O=Partner", empty, yes},
		{`CN=billing, OU="", O=Partner`, empty, yes},
		{"CN=billing,OU=#0C00,O=Partner", empty, yes},
		{"CN=billing,OU=,O=Partner", without, no},
		{"CN=billing,OU=,O=Partner", space, no},
		{"CN=billing,O=Partner", empty, no},
		{"OID.2.5.4.97=PSDDE-BAFIN-1,O=Partner", numbered, yes},
		{"oid.2.5.4.97=PSDDE-BAFIN-1, O=Partner", numbered, yes},
		{"2.5.4.97=PSDDE-BAFIN-1,O=Partner", numbered, yes},
		{"OID.2.5.4.97=PSDDE-BAFIN-2,O=Partner", numbered, no},
	} {
		_, err := judge(t, w.behind(certauth.Subject{row.text}), row.leaf)
		assert.Equal(t, row.want, reasonOf(err), "%s: %v", row.text, err)
	}
	for _, text := range []string{"CN=", "CN=,O=", "OID.=a", "OID.x=a"} {
		assert.Len(t, mistakesOf(t, w.behind(certauth.Subject{text})), 1, text)
	}
}

// CVE-2026-33248 NATS: the DN matched out of order or in part.
func TestIdentity_DistinguishedNameMatchIsStructural(t *testing.T) {
	w := newWorld(t)
	// RFC 4514, section 2.1: the last RDN of the DER is written first.
	plain := w.issue(t, rawSubject(t, organization("Partner"), utf8Name("billing")))
	multi := append(utf8Name("billing"), organization("Partner")...)
	both := w.issue(t, rawSubject(t, multi))
	comma := w.issue(t, rawSubject(t, organization("Contoso, Inc."), utf8Name("billing")))
	twice := w.issue(t, rawSubject(t, organization("Partner"), utf8Name("billing"), utf8Name("billing")))
	injected := w.issue(t, rawSubject(t, utf8Name("billing,O=Partner")))
	slash := w.issue(t, rawSubject(t, utf8Name("x/CN=admin")))
	const no = certauth.ReasonNameNotAllowed
	rule := func(name string) certauth.Policy { return w.behind(certauth.Subject{"CN=nobody", name}) }
	runVerdicts(t, []verdict{
		{"the whole name", rule("CN=billing,O=Partner"), plain, certauth.ReasonNone},
		{"spaces around the separators", rule("CN = billing , O=Partner"), plain, certauth.ReasonNone},
		{"keywords in lower case", rule("cn=billing,o=Partner"), plain, certauth.ReasonNone},
		{"keywords as numbers", rule("2.5.4.3=billing,2.5.4.10=Partner"), plain, certauth.ReasonNone},
		{"another string type, the same text", rule("CN=billing"), w.issue(t, rawSubject(t, printableName("billing"))), certauth.ReasonNone},
		{"the value as hex DER", rule("CN=#0C0762696C6C696E67,O=Partner"), plain, certauth.ReasonNone},
		{"out of order", rule("O=Partner,CN=billing"), plain, no},
		{"a part at the front", rule("CN=billing"), plain, no},
		{"a part at the end", rule("O=Partner"), plain, no},
		{"more than there is", rule("CN=billing,O=Partner,C=DE"), plain, no},
		{"case of the value", rule("CN=Billing,O=Partner"), plain, no},
		{"a space too many", rule(`CN=billing\ ,O=Partner`), plain, no},
		{"one RDN for two", rule("CN=billing+O=Partner"), plain, no},
		{"a multi-valued RDN", rule("CN=billing+O=Partner"), both, certauth.ReasonNone},
		{"a multi-valued RDN the other way round, it is a set", rule("O=Partner+CN=billing"), both, certauth.ReasonNone},
		{"two RDNs for one", rule("CN=billing,O=Partner"), both, no},
		{"an attribute twice", rule("CN=billing,O=Partner"), twice, no},
		{"an attribute twice, as listed", rule("CN=billing,CN=billing,O=Partner"), twice, certauth.ReasonNone},
		{"a quoted comma", rule(`CN=billing,O="Contoso, Inc."`), comma, certauth.ReasonNone},
		{"an escaped comma", rule(`CN=billing,O=Contoso\, Inc.`), comma, certauth.ReasonNone},
		{"a comma within a value is no separator", rule("CN=billing,O=Partner"), injected, no},
		{"a slash within a value is no separator", rule("CN=admin"), slash, no},
	})
	t.Run("the hint says so if the parts stand in openssl's order, and only then", func(t *testing.T) {
		for name, want := range map[string]bool{"O=Partner,CN=billing": true, "O=Partner,CN=Billing": false} {
			_, err := judge(t, rule(name), plain)
			var refused *certauth.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, want, strings.Contains(refused.Hint, "opposite order"), "%s: %s", name, refused.Hint)
		}
	})
}

// CVE-2018-16886 etcd: the common name of any trusted certificate was a user.
func TestIdentity_CommonNameIsNeverAnImplicitUser(t *testing.T) {
	w := newWorld(t)
	admin := w.issue(t, rawSubject(t, utf8Name("admin.example")))
	id, err := judge(t, w.chain(), admin)
	require.NoError(t, err)
	assert.Empty(t, id.Matched, "a name becomes a role only by Named")
	_, ok := id.SPIFFEID()
	assert.False(t, ok)
	const no = certauth.ReasonNameNotAllowed
	runVerdicts(t, []verdict{
		{"a common name is no DNS name", w.behind(certauth.DNSNames{"admin.example"}), admin, no},
		{"a common name is no e-mail address", w.behind(certauth.Emails{"a@admin.example"}), w.issue(t, rawSubject(t, utf8Name("a@admin.example"))), no},
		{"an e-mail address in the subject is none of the alternative names", w.behind(certauth.Emails{"a@b.example"}), w.issue(t, subjectEmail("a@b.example")), no},
		{"a common name is no user principal name", w.behind(certauth.UPNs{"a@admin.example"}), w.issue(t, rawSubject(t, utf8Name("a@admin.example"))), no},
		{"a common name is no IP address", w.behind(certauth.IPs{"10.1.2.3"}), w.issue(t, rawSubject(t, utf8Name("10.1.2.3"))), no},
		{"a DNS name is no common name", w.behind(certauth.CommonNames{"a.example"}), w.issue(t, certauthtest.DNS("a.example")), no},
	})
}

func TestSubject_Attributes(t *testing.T) {
	w := newWorld(t)
	unit := func(value string) []attribute {
		return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.TagUTF8String, value)}
	}
	leaf := w.issue(t, rawSubject(t, organization("Partner"), unit("Orders"), unit("Billing"), utf8Name("client")))
	twoCN := w.issue(t, rawSubject(t, utf8Name("client"), utf8Name("admin")))
	hidden := w.issue(t, rawSubject(t, latin1Name("\xE9"), utf8Name("admin")))
	const no = certauth.ReasonNameNotAllowed
	runVerdicts(t, []verdict{
		{"the common name", w.behind(certauth.CommonNames{"other", "client"}), leaf, certauth.ReasonNone},
		{"a common name in another case", w.behind(certauth.CommonNames{"Client"}), leaf, no},
		{"a longer common name", w.behind(certauth.CommonNames{"client1"}), leaf, no},
		{"a shorter common name", w.behind(certauth.CommonNames{"clien"}), leaf, no},
		{"two common names, the first listed", w.behind(certauth.CommonNames{"client"}), twoCN, no},
		{"two common names, both listed", w.behind(certauth.CommonNames{"client", "admin"}), twoCN, no},
		{"two common names, one in an encoding that is not read", w.behind(certauth.CommonNames{"admin"}), hidden, no},
		{"no common name", w.behind(certauth.CommonNames{"client"}), w.issue(t, rawSubject(t, organization("client"))), no},
		{"the organization", w.behind(certauth.Organizations{"Partner"}), leaf, certauth.ReasonNone},
		{"a unit is no organization", w.behind(certauth.Organizations{"Orders"}), leaf, no},
		{"the first unit", w.behind(certauth.OrganizationalUnits{"Orders"}), leaf, certauth.ReasonNone},
		{"the second unit", w.behind(certauth.OrganizationalUnits{"Billing"}), leaf, certauth.ReasonNone},
		{"a unit in another case", w.behind(certauth.OrganizationalUnits{"billing"}), leaf, no},
	})
	const before = ": comes before any anchor; put a Chain or a pin of the certificate before it"
	runMisconfigured(t, []misconfigured{
		{"empty lists", w.behind(certauth.CommonNames{}, certauth.Organizations{}, certauth.OrganizationalUnits(nil), certauth.Subject{}, certauth.IssuerName{}), []string{
			"Policy.All[1].CommonNames: empty", "Policy.All[2].Organizations: empty", "Policy.All[3].OrganizationalUnits: empty",
			"Policy.All[4].Subject: empty", "Policy.All[5].IssuerName: empty",
		}},
		{"an empty entry", w.behind(certauth.CommonNames{"a", ""}), []string{"Policy.All[1].CommonNames[1]: empty"}},
		{"finding T44: excluded, with an OID that lacks a dot", w.behind(certauth.Not{Policy: certauth.Subject{"25.4.3=client"}}), []string{`Policy.All[1].Not.Subject[0]: at offset 7: attribute "25.4.3" is not known; give its OID`}},
		{"no name at all", w.behind(certauth.Subject{"client"}), []string{"Policy.All[1].Subject[0]: at offset 0: attribute without an equals sign, want one such as CN=orders"}},
		{"before the anchor", certauth.All{certauth.Organizations{"x"}, w.chain()}, []string{"Policy.All[0].Organizations" + before}},
		{"an issuer's name after a pin", certauth.All{certauth.Thumbprints{pinOfNobody}, certauth.IssuerName{"CN=x"}}, []string{"Policy.All[1].IssuerName: comes before any Chain; put a Chain before it, because without one anybody can forge an issuer's name"}},
	})
}

func TestIssuer_NameAndKey(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	partner, other := root.NewIntermediate(t, "Partner CA"), root.NewIntermediate(t, "Other CA")
	chain := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(partner, other)}
	behind := func(rule certauth.Policy) certauth.Policy { return certauth.All{chain, rule} }
	leaf := partner.Issue(t, "client").Certificate
	const no = certauth.ReasonIssuerNotAllowed
	issuedBy := func(certs ...*certauthtest.CA) certauth.IssuedBy {
		return certauth.IssuedBy{Certificates: certsOf(certs...)}
	}
	issuedByKey := func(ca *certauthtest.CA) certauth.IssuedBy {
		return certauth.IssuedBy{PublicKeys: []string{spkiPin(ca.Certificate)}}
	}
	runVerdicts(t, []verdict{
		{"by certificate", behind(issuedBy(partner)), leaf, certauth.ReasonNone},
		{"by another certificate", behind(issuedBy(other)), leaf, no},
		{"one of two", behind(issuedBy(other, partner)), leaf, certauth.ReasonNone},
		{"the root is not the issuing CA", behind(issuedBy(root)), leaf, no},
		{"the root where it issues itself", behind(issuedBy(root)), root.Issue(t, "client").Certificate, certauth.ReasonNone},
		{"by thumbprint", behind(certauth.IssuedBy{Thumbprints: []string{thumbprint(partner.Certificate)}}), leaf, certauth.ReasonNone},
		{"by another thumbprint", behind(certauth.IssuedBy{Thumbprints: []string{thumbprint(other.Certificate)}}), leaf, no},
		{"by key", behind(certauth.IssuedBy{PublicKeys: []string{spkiPin(partner.Certificate)}}), leaf, certauth.ReasonNone},
		{"by another key", behind(certauth.IssuedBy{PublicKeys: []string{spkiPin(leaf)}}), leaf, no},
		{"not by", behind(certauth.Not{Policy: issuedByKey(partner)}), leaf, certauth.ReasonPolicyRefused},
		{"not by another", behind(certauth.Not{Policy: issuedByKey(other)}), leaf, certauth.ReasonNone},
		{"by name", behind(certauth.IssuerName{"CN=Partner CA,O=certauthtest"}), leaf, certauth.ReasonNone},
		{"by another name", behind(certauth.IssuerName{"CN=Other CA,O=certauthtest"}), leaf, no},
		{"by a part of the name", behind(certauth.IssuerName{"CN=Partner CA"}), leaf, no},
		{"by the root's name", behind(certauth.IssuerName{"CN=Root,O=certauthtest"}), leaf, no},
	})
	t.Run("a cross-signed copy has the key, not the thumbprint", func(t *testing.T) {
		rootB := certauthtest.NewCA(t, "Root B")
		cross := crossSign(t, partner, rootB)
		viaB := certauth.Chain{Roots: certsOf(rootB), Intermediates: certauth.Certificates(cross)}
		runVerdicts(t, []verdict{
			{"by key", certauth.All{viaB, certauth.IssuedBy{PublicKeys: []string{spkiPin(partner.Certificate)}}}, leaf, certauth.ReasonNone},
			{"by certificate", certauth.All{viaB, issuedBy(partner)}, leaf, no},
			{"by the copy", certauth.All{viaB, certauth.IssuedBy{Certificates: certauth.Certificates(cross)}}, leaf, certauth.ReasonNone},
		})
	})
	const path = "Policy.All[1].IssuedBy"
	runMisconfigured(t, []misconfigured{
		{"zero", behind(certauth.IssuedBy{}), []string{path + ": 0 of Certificates, Thumbprints and PublicKeys are set, want exactly one"}},
		{"two fields", behind(certauth.IssuedBy{Certificates: certsOf(partner), PublicKeys: []string{spkiPin(leaf)}}), []string{path + ": 2 of Certificates, Thumbprints and PublicKeys are set, want exactly one"}},
		{"an empty list", behind(certauth.IssuedBy{Thumbprints: []string{}}), []string{path + ".Thumbprints: empty"}},
		{"a short pin", behind(certauth.IssuedBy{PublicKeys: []string{"00"}}), []string{path + ".PublicKeys[0]: 1 bytes, want 32"}},
		{"a leaf for a CA", behind(certauth.IssuedBy{Certificates: certauth.Certificates(leaf)}), []string{path + `.Certificates: certificate 0 ("CN=client,O=certauthtest") is not a CA certificate; to trust that certificate alone, pin it`}},
		{"behind a pin", certauth.All{certauth.Certificates(leaf), issuedBy(partner)}, []string{path + ": comes before any Chain; put a Chain before it, because only a verified chain proves who issued a certificate"}},
	})
}

func withExtension(oid string, value []byte) certauthtest.Template {
	parsed, err := x509.ParseOID(oid)
	if err != nil {
		panic(err)
	}
	var id asn1.ObjectIdentifier
	der, _ := parsed.MarshalBinary()
	if _, err := asn1.Unmarshal(append([]byte{6, byte(len(der))}, der...), &id); err != nil {
		panic(err)
	}
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Value: value})
	}
}

// finding S18: the refusal of an Any formatted the names of the certificate once for each member, which for a long subject and
// three thousand members took half a second of processor time for each request.
func TestLimits_RefusalsOfManyMembersCostLittle(t *testing.T) {
	w := newWorld(t)
	var members certauth.Any
	for i := range 3000 {
		members = append(members, certauth.Subject{fmt.Sprintf("CN=caller %d,O=Partner", i)})
	}
	subject := slices.Repeat([][]attribute{organization(strings.Repeat("x", 200))}, 60)
	leaf := w.issue(t, rawSubject(t, subject...))
	auth := authOf(t, w.behind(members), time.Time{}, leaf)
	err := inTime(t, checks(auth, 200))
	assert.Equal(t, certauth.ReasonNameNotAllowed, reasonOf(err), "%v", err)
}
