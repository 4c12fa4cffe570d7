package certauth_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/internal/vector"
)

var updateVectors = flag.Bool("update-vectors", false, "make the certificates of testdata/certificates anew")

const certificateVectors = "../testdata/certificates"

// certificateVector is the input for a vector.
type certificateVector struct {
	name    string
	expect  string // "accepted" or a Reason
	origin  string // the kind of CA that issues such certificates, and the relevant section
	rule    string // rule after the chain; empty for none
	root    *x509.Certificate
	issuing []*x509.Certificate
	sent    [][]byte // leaf first
}

// Certificates as CAs issue them, with the expected outcome for each. The files contain everything
// that another implementation needs.
func TestCertificates_Vectors(t *testing.T) {
	if *updateVectors {
		writeVectors(t)
	}
	cases, err := vector.Load(certificateVectors)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(cases), 40)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			now, err := c.Time()
			require.NoError(t, err)
			assert.NotEmpty(t, c.Fields["origin"])
			require.Equal(t, "traefik", c.Fields["source"])
			policy := certauth.All{vectorChain(t, c)}
			if rule := c.Fields["rule"]; rule != "" {
				policy = append(policy, vectorRule(t, rule))
			}
			auth, err := certauth.New(certauth.Config{Source: forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, Policy: policy, Now: func() time.Time { return now }})
			require.NoError(t, err)
			headers, err := c.Headers()
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, h := range headers {
				r.Header.Add(h[0], h[1])
			}
			_, err = auth.Check(r)
			got := string(reasonOf(err))
			if err == nil {
				got = "accepted"
			}
			assert.Equal(t, c.Fields["expect"], got, "%s: %v", c.Fields["origin"], err)
		})
	}
}

func vectorChain(t *testing.T, c vector.Case) certauth.Chain {
	t.Helper()
	require.Equal(t, "chain", c.Fields["policy"])
	chain := certauth.Chain{Roots: certauth.PEM(c.Files["roots.pem"])}
	if issuing := c.Files["intermediates.pem"]; issuing != "" {
		chain.Intermediates = certauth.PEM(issuing)
	}
	return chain
}

// vectorRule reads "dns-name NAME", "common-name NAME", "subject NAME", "upn NAME" and
// "not-listed SERIAL ISSUER".
func vectorRule(t *testing.T, text string) certauth.Policy {
	t.Helper()
	kind, argument, _ := strings.Cut(text, " ")
	switch kind {
	case "dns-name":
		return certauth.DNSNames{argument}
	case "common-name":
		return certauth.CommonNames{argument}
	case "subject":
		return certauth.Subject{argument}
	case "upn":
		return certauth.UPNs{argument}
	case "not-listed":
		serial, issuer, _ := strings.Cut(argument, " ")
		return certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: issuer, Serial: serial}}}
	}
	require.Failf(t, "unknown rule", "%q", text)
	return nil
}

func writeVectors(t *testing.T) {
	t.Helper()
	old, err := filepath.Glob(certificateVectors + "/*.txtar")
	require.NoError(t, err)
	for _, file := range old {
		require.NoError(t, os.Remove(file))
	}
	require.NoError(t, os.MkdirAll(certificateVectors, 0o750))
	now := time.Now().UTC().Truncate(time.Second).Add(time.Minute)
	blocks := func(certs []*x509.Certificate) string {
		var b bytes.Buffer
		for _, cert := range certs {
			require.NoError(t, pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
		}
		return b.String()
	}
	for _, v := range makeVectors(t) {
		var b strings.Builder
		fmt.Fprintf(&b, "source: traefik\nexpect: %s\ntime: %s\norigin: %s\npolicy: chain\n", v.expect, now.Format(time.RFC3339), v.origin)
		if v.rule != "" {
			fmt.Fprintf(&b, "rule: %s\n", v.rule)
		}
		var items []string
		for _, der := range v.sent {
			items = append(items, base64.StdEncoding.EncodeToString(der))
		}
		fmt.Fprintf(&b, "\n-- headers --\nX-Forwarded-Tls-Client-Cert: %s\n-- roots.pem --\n%s", strings.Join(items, ","), blocks([]*x509.Certificate{v.root}))
		if len(v.issuing) > 0 {
			fmt.Fprintf(&b, "-- intermediates.pem --\n%s", blocks(v.issuing))
		}
		require.NoError(t, os.WriteFile(filepath.Join(certificateVectors, v.name+".txtar"), []byte(b.String()), 0o600))
	}
}

func makeVectors(t *testing.T) []certificateVector {
	t.Helper()
	const malformed, untrusted, usage = string(certauth.ReasonCertificateMalformed), string(certauth.ReasonChainUntrusted), string(certauth.ReasonUsageNotAllowed)
	root := newRoot(t, "Partner Root")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	var made []certificateVector
	direct := func(name, expect, origin, rule string, sent ...[]byte) {
		made = append(made, certificateVector{name: name, expect: expect, origin: origin, rule: rule, root: root.Certificate, sent: sent})
	}
	below := func(name, expect, origin string, ca []certauthtest.Template, leaf ...certauthtest.Template) {
		issuing := root.newCA(t, "Issuing CA", ca...)
		made = append(made, certificateVector{name: name, expect: expect, origin: origin, root: root.Certificate, issuing: []*x509.Certificate{issuing.Certificate}, sent: [][]byte{issuing.newClient(t, leaf...).Raw}})
	}
	named := func(attributes ...nameValue) certauthtest.Template {
		return func(c *x509.Certificate) { c.RawSubject = nameOf(t, attributes...) }
	}
	text := func(s string) nameValue { return nameValue{oidCN, asn1.TagUTF8String, s} }
	works := nameValue{oidO, asn1.TagUTF8String, "Example Works"}
	client := func(change ...certauthtest.Template) []byte { return root.newClient(t, change...).Raw }

	// Name constraints, RFC 5280, section 4.2.1.10.
	form := func(number int, compound bool, content ...[]byte) []byte {
		return tlv(t, asn1.ClassContextSpecific, number, compound, content...)
	}
	permitted := func(critical bool, parts ...[]byte) []certauthtest.Template {
		return []certauthtest.Template{ext(critical, seq(t, form(0, true, seq(t, parts...))), 2, 5, 29, 30)}
	}
	excluded := func(critical bool, parts ...[]byte) []certauthtest.Template {
		return []certauthtest.Template{ext(critical, seq(t, form(1, true, seq(t, parts...))), 2, 5, 29, 30)}
	}
	directory := func(attributes ...nameValue) []byte { return form(4, true, nameOf(t, attributes...)) }
	upn := func(name string) []byte {
		return form(0, true, marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}), form(0, true, tlv(t, asn1.ClassUniversal, asn1.TagUTF8String, false, []byte(name))))
	}
	altNames := func(critical bool, names ...[]byte) certauthtest.Template {
		return ext(critical, seq(t, names...), 2, 5, 29, 17)
	}
	dnsForm := func(name string) []byte { return form(2, false, []byte(name)) }
	inside, outside := named(works, text("c")), named(nameValue{oidO, asn1.TagUTF8String, "Other"}, text("c"))
	for _, critical := range []bool{false, true} {
		kind := map[bool]string{false: "", true: "critical-"}[critical]
		const origin = "a CA that is limited to an organization, as in federal and corporate PKIs; RFC 5280, 4.2.1.10"
		below(kind+"directory-name-inside", "accepted", origin, permitted(critical, directory(works)), inside)
		below(kind+"directory-name-outside", untrusted, origin, permitted(critical, directory(works)), outside)
		below(kind+"directory-name-excluded", untrusted, origin, excluded(critical, directory(works)), inside)
		below(kind+"user-principal-name-constrained", untrusted, "AD CS with constraints on UPNs, which nobody can compare; RFC 5280, 4.2.1.10", permitted(critical, upn("@corp.example")), altNames(false, upn("jo@corp.example")))
		below(kind+"dns-name-outside", untrusted, "a CA limited to a domain; RFC 5280, 4.2.1.10", permitted(critical, dnsForm("partner.example")), certauthtest.DNS("other.example"))
		below(kind+"dns-name-inside", "accepted", "a CA limited to a domain; RFC 5280, 4.2.1.10", permitted(critical, dnsForm("partner.example")), certauthtest.DNS("a.partner.example"))
		below(kind+"constraint-with-maximum", untrusted, "RFC 5280, 4.2.1.10: maximum is absent; processed or refused", permitted(critical, dnsForm("partner.example"), form(1, false, []byte{3})), certauthtest.DNS("a.partner.example"))
	}
	below("directory-name-other-spelling-inside", "accepted", "RFC 5280, 7.1: case, spacing and string type do not count", permitted(true, directory(nameValue{oidO, asn1.TagPrintableString, "EXAMPLE  works"})), inside)

	// Usages.
	for name, set := range map[string]x509.KeyUsage{
		"non-repudiation": x509.KeyUsageContentCommitment, "key-encipherment": x509.KeyUsageKeyEncipherment, "crl-sign": x509.KeyUsageCRLSign,
		"encipher-only": x509.KeyUsageEncipherOnly, "none": 0,
	} {
		direct("leaf-key-usage-"+name, usage, "qualified seals and eID signing certificates; RFC 5280, 4.2.1.3 and 4.2.1.12, RFC 8446, 4.4.2.4", "", client(bits(t, set)))
	}
	direct("leaf-key-usage-key-agreement", "accepted", "RFC 5280, 4.2.1.12: consistent with clientAuth", "", client(bits(t, x509.KeyUsageKeyAgreement)))
	empty := []certauthtest.Template{certauthtest.Usage(), ext(false, []byte{0x30, 0}, 2, 5, 29, 37)}
	direct("leaf-extended-key-usage-empty", usage, "RFC 5280, 4.2.1.12: SIZE (1..MAX)", "", client(empty...))
	below("ca-extended-key-usage-empty", usage, "RFC 5280, 4.2.1.12: SIZE (1..MAX)", empty)
	below("ca-key-usage-empty", untrusted, "RFC 5280, 4.2.1.3 and 6.1.4 (n)", []certauthtest.Template{bits(t, 0)})
	below("ca-for-server-auth", usage, "public CAs after the sunset of clientAuth", []certauthtest.Template{serverOnly}, bothUsages)
	qualifier := seq(t, seq(t, marshal(t, asn1.ObjectIdentifier{1, 2, 3}), seq(t, seq(t, marshal(t, asn1.ObjectIdentifier{1, 2, 3, 4}), []byte{5, 0}))))
	direct("critical-policies-unknown-qualifier", untrusted, "RFC 5280, 4.2.1.4: reject", "", client(ext(true, qualifier, 2, 5, 29, 32)))
	direct("critical-extension-unknown", untrusted, "qualified certificates with critical qcStatements; RFC 5280, 4.2", "", client(ext(true, []byte{0x30, 0}, 1, 3, 6, 1, 5, 5, 7, 1, 3)))

	// Names and identifiers.
	puppet := newRoot(t, "", named(nameValue{oidO, asn1.TagPrintableString, "Example Works"}, nameValue{oidCN, asn1.TagPrintableString, "Puppet CA"}))
	for name, issuer := range map[string][]byte{
		"string-type": nameOf(t, works, text("Puppet CA")), "letter-case": nameOf(t, works, text("PUPPET ca")), "spacing": nameOf(t, works, text(" Puppet  CA ")),
	} {
		made = append(made, certificateVector{name: "issuer-other-" + name, expect: "accepted", origin: "puppet, mbedTLS; RFC 5280, 7.1", root: puppet.Certificate, sent: [][]byte{puppet.spelled(issuer).newClient(t).Raw}})
	}
	renewed := newRoot(t, "Renewed CA", func(c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3} })
	other := *renewed.Certificate
	other.SubjectKeyId = []byte{9, 9, 9}
	made = append(made, certificateVector{name: "other-key-identifier-same-key", expect: "accepted", origin: "cert-manager and Go since 1.25, RFC 7093; RFC 5280, 4.2.1.1: identifiers help to find, signatures decide", root: renewed.Certificate, sent: [][]byte{(&party{&other, renewed.key}).newClient(t).Raw}})
	direct("listed-issuer-letter-case", string(certauth.ReasonCertificateDenied), "a deny list as an operator types it; RFC 5280, 7.1", "not-listed 1501 CN=partner ROOT,O=partner  ltd", root.unparsed(t, nil))

	// Forms that Go or the library does not accept as a leaf.
	odd := "RFC 5280, 4.1.2.2: serial numbers are positive"
	negative := overwritten(t, root.unparsed(t, nil), "\x02\x02\x15\x01", "\x02\x02\x95\x01")
	zero := root.unparsed(t, nil, func(c *x509.Certificate) { c.SerialNumber = new(big.Int) })
	direct("leaf-serial-negative", malformed, odd, "", negative)
	direct("leaf-serial-zero", malformed, odd, "", zero)
	direct("leaf-version-1", malformed, "plain openssl x509 -req; RFC 5280, 4.1.2.1", "", version1(t, root.unparsed(t, nil)))
	direct("leaf-underscore-in-printable-string", malformed, "X.680, 41.4: no underscore in PrintableString", "", root.unparsed(t, nil, named(nameValue{oidCN, asn1.TagPrintableString, "host_1"})))
	direct("leaf-critical-subject-key-identifier", malformed, "RFC 5280, 4.2.1.2: must not be critical", "", root.unparsed(t, nil, ext(true, []byte{4, 1, 7}, 2, 5, 29, 14)))
	direct("leaf-p224", malformed, "a curve below the library's limit, see Policy", "", root.unparsed(t, newECKey(t, elliptic.P224()).Public()))
	direct("leaf-rsa-pss-key", malformed, "RFC 4055, 1.2: a key that crypto/x509 does not use", "", overwritten(t, root.unparsed(t, rsaKey.Public()), rsaEncryption, idRSASSAPSS))

	// The same kinds, sent along but not needed.
	along := "clients send what their stores hold, as old public roots; RFC 8446, 4.4.2"
	direct("along-serial-negative", "accepted", along, "", client(), negative)
	direct("along-serial-zero", "accepted", along, "", client(), zero)
	direct("along-version-1", "accepted", along, "", client(), version1(t, root.unparsed(t, nil)))
	direct("along-unknown-curve", "accepted", along, "", client(), overwritten(t, root.unparsed(t, nil), curveP256, curvePrime239))

	// Alternative names that no rule uses, and rules.
	uri := form(6, false, []byte("urn:PRESS-07:Example Vendor:Line Client"))
	direct("opc-ua-uri-with-space-dns-asked", "accepted", "OPC UA application URIs; RFC 5280, 4.2.1.6", "dns-name c.example", client(altNames(false, dnsForm("c.example"), uri)))
	direct("critical-alternative-name-upn-alone", "accepted", "AD CS smart cards; RFC 5280, 4.2.1.6", "upn jo@corp.example", client(altNames(true, upn("jo@corp.example"))))
	direct("active-directory-two-common-names", string(certauth.ReasonNameNotAllowed), "AD CS user certificates: CN of the user and of the folder", "common-name Jo Doe", client(named(text("Users"), text("Jo Doe"))))
	direct("active-directory-whole-subject", "accepted", "the same, by the whole subject", "subject CN=Jo Doe,CN=Users", client(named(text("Users"), text("Jo Doe"))))
	return made
}
