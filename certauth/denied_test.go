package certauth_test

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func serial(n *big.Int) certauthtest.Template {
	return func(c *x509.Certificate) { c.SerialNumber = n }
}

// finding C4: an entry of Denied.Serials did not match certificates whose issuer had another letter case, spacing or
// string type.
//
// RFC 5280, section 7.1. Where it leaves the comparison open, a deny list treats a name that it cannot read as listed.
func TestDenied_IssuerInAnotherSpellingIsListed(t *testing.T) {
	const utf8, printable, teletex, bmp = asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagT61String, asn1.TagBMPString
	const denied, yes = certauth.ReasonCertificateDenied, certauth.ReasonNone
	for _, tc := range []struct {
		name    string
		tag     int
		content string
		listed  string
		want    certauth.Reason
	}{
		{"the same", utf8, "Partner CA", "CN=Partner CA", denied},
		{"another letter case", utf8, "Partner CA", "CN=PARTNER ca", denied},
		{"another letter case beyond ASCII", utf8, "\u00C9cole CA", "CN=\u00C9COLE ca", denied},
		{"two spaces in the certificate", printable, "Partner  CA", "CN=Partner CA", denied},
		{"two spaces in the entry", printable, "Partner CA", "CN=Partner   CA", denied},
		{"a space at the end", utf8, "Partner CA ", "CN=Partner CA", denied},
		{"a no-break space", utf8, "Partner\u00A0CA", "CN=Partner CA", denied},
		{"PrintableString", printable, "Partner CA", "CN=partner ca", denied},
		{"BMPString", bmp, "\x00P\x00a\x00r\x00t\x00n\x00e\x00r", "CN=partner", denied},
		{"TeletexString in ASCII", teletex, "Partner CA", "CN=partner ca", denied},
		{"TeletexString beyond ASCII", teletex, "M\xFCller CA", "CN=M\u00FCller CA", denied},
		{"TeletexString beyond ASCII, as it stands", teletex, "M\xFCller CA", "CN=#14094DFC6C6C6572204341", denied},
		{"a decomposed letter", utf8, "Mu\u0308ller CA", "CN=M\u00FCller CA", denied},
		{"a ligature", utf8, "\uFB01rma CA", "CN=firma CA", denied},
		{"a long s", utf8, "te\u017Ft", "CN=TEST", denied},
		{"a zero-width space", utf8, "Partner\u200BCA", "CN=PartnerCA", denied},
		{"another name", utf8, "Partner CA", "CN=Other CA", yes},
		{"a name that is longer", utf8, "Partner CA 2", "CN=Partner CA", yes},
		{"another name that begins otherwise and cannot be read to its end", utf8, "Mu\u0308ller CA", "CN=Other CA", yes},
		{"another TeletexString, which cannot be read", teletex, "Foo M\xFCller", "CN=Bar", yes},
		{"one RDN more", utf8, "Partner CA", "CN=Partner CA,O=x", yes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := certauthtest.NewCA(t, "", rawSubject(t, []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 3}, tc.tag, tc.content)}))
			leaf := root.Issue(t, "client", serial(big.NewInt(0x7A31))).Certificate
			listed := func(serial string) certauth.Policy {
				return certauth.All{chainOf(root), certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: tc.listed, Serial: serial}}}}
			}
			_, err := judge(t, listed("7a31"), leaf)
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			_, err = judge(t, listed("7a32"), leaf)
			assert.NoError(t, err, "another serial number is not listed, whoever issued it")
		})
	}
}

// finding C4: the name in a CA's own certificate, and an issuer in the opposite order, can also have
// other spellings.
func TestDenied_SpellingOfACAAndOfTheOppositeOrder(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing CA", serial(big.NewInt(0x7A31)))
	leaf := issuing.Issue(t, "client").Certificate
	for name, issuer := range map[string]string{"as RFC 4514 writes it": "cn=root,o=CERTAUTHTEST", "as openssl prints it": "O=CertAuthTest,CN=ROOT"} {
		policy := certauth.All{
			certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing)},
			certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: issuer, Serial: "7A:31"}}},
		}
		_, err := judge(t, policy, leaf)
		assert.Equal(t, certauth.ReasonCertificateDenied, reasonOf(err), "%s: %v", name, err)
	}
}

// finding C4: an issuer with too many parts to be read counts as listed with the serial number, and does not affect
// other certificates of that CA.
func TestDenied_UnreadableIssuerIsListed(t *testing.T) {
	var parts [][]attribute
	for range 65 {
		parts = append(parts, organization("a"))
	}
	root := certauthtest.NewCA(t, "", rawSubject(t, parts...))
	policy := certauth.All{chainOf(root), certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=x", Serial: "7a31"}}}}
	_, err := judge(t, policy, root.Issue(t, "client", serial(big.NewInt(0x7A31))).Certificate)
	assert.Equal(t, certauth.ReasonCertificateDenied, reasonOf(err), "%v", err)
	_, err = judge(t, policy, root.Issue(t, "client", serial(big.NewInt(0x7A32))).Certificate)
	assert.NoError(t, err)
}

// finding C4: a certificate with a serial number of more than 20 bytes was accepted and could not be
// listed.
//
// RFC 5280, section 4.1.2.2, forbids CAs to write such numbers but does not require anybody to refuse
// them.
func TestDenied_LongSerialNumberCanBeListed(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	for _, bits := range []int{160, 161, 168, 256, 512} {
		number := oddNumber(bits)
		leaf := root.Issue(t, "client", serial(number)).Certificate
		_, err := judge(t, chainOf(root), leaf)
		require.NoError(t, err)
		for _, text := range []string{number.Text(16), strings.ToUpper(hex.EncodeToString(number.Bytes()))} {
			_, err = judge(t, certauth.All{chainOf(root), certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=root,O=certauthtest", Serial: text}}}}, leaf)
			assert.Equal(t, certauth.ReasonCertificateDenied, reasonOf(err), "%d bits: %v", bits, err)
		}
	}
}

// Gaps that a review once found stay closed.

// A deny list in openssl's order of a name must still deny, and a CA on it denies the certificates
// that it issued.
func TestDenied_BindsInEitherOrderAndToCAs(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	leaf := issuing.Issue(t, "client")
	chain := certauth.Chain{Roots: certauth.Certificates(root.Certificate), Intermediates: certauth.Certificates(issuing.Certificate)}
	denying := func(issuer string, cert *x509.Certificate) certauth.Policy {
		return certauth.All{chain, certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: issuer, Serial: fmt.Sprintf("%x", cert.SerialNumber)}}}}
	}
	runVerdicts(t, []verdict{
		{"RFC 4514's order", denying("CN=Issuing,O=certauthtest", leaf.Certificate), leaf.Certificate, certauth.ReasonCertificateDenied},
		{"openssl's order", denying("O = certauthtest, CN = Issuing", leaf.Certificate), leaf.Certificate, certauth.ReasonCertificateDenied},
		{"the issuing CA's own serial", denying("CN=Root,O=certauthtest", issuing.Certificate), leaf.Certificate, certauth.ReasonCertificateDenied},
		{"the serial under another issuer", denying("CN=Other,O=certauthtest", leaf.Certificate), leaf.Certificate, certauth.ReasonNone},
	})
}

// finding N47: the policy that is logged at start gave only the number of denied certificates, so that
// the log did not show from when on which certificate was blocked, unless it was used again.
func TestDenied_TheLoggedPolicyNamesTheEntries(t *testing.T) {
	w := newWorld(t)
	serials := func(n int) (list []certauth.IssuerSerial) {
		for i := range n {
			list = append(list, certauth.IssuerSerial{Issuer: "CN=Partner Issuing,O=certauthtest", Serial: fmt.Sprintf("0a%02X", i)})
		}
		return list
	}
	describe := func(denied certauth.Denied) string {
		auth, err := certauth.New(certauth.Config{Source: fixedSource("s", nil), Policy: certauth.All{w.chain(), denied}})
		require.NoError(t, err)
		return auth.String()
	}

	text := describe(certauth.Denied{Serials: serials(2), PublicKeys: []string{pinOfNobody}})
	for _, line := range []string{
		"not one of 2 denied serials and 1 denied keys",
		`serial a00 of "CN=Partner Issuing,O=certauthtest"`,
		`serial a01 of "CN=Partner Issuing,O=certauthtest"`,
	} {
		assert.Regexp(t, `(?m)^\s+`+regexp.QuoteMeta(line)+"$", text)
	}
	many := describe(certauth.Denied{Serials: serials(100)})
	assert.Equal(t, 16, strings.Count(many, "serial a"))
	assert.Contains(t, many, "and 84 more")
	assert.NotContains(t, describe(certauth.Denied{Serials: serials(16)}), "more")
}
