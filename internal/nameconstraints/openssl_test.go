package nameconstraints_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The errors of openssl verify that concern names, see openssl-verification-options(1).
const (
	good           = ""
	permittedError = "47" // permitted subtree violation
	excludedError  = "48" // excluded subtree violation
	boundsError    = "49" // name constraints minimum and maximum not supported
	typeError      = "51" // unsupported name constraint type
	syntaxError    = "53" // unsupported or invalid name syntax
)

// OpenSSL judges the same chains. If its verdict differs, the row says why.
func TestCheck_AsOpenSSLDecides(t *testing.T) {
	verify := openssl(t)
	name := func(text string) []byte { return directory(t, utf8Text, text) }
	asPrintable := func(text string) []byte { return directory(t, printable, text) }
	bounded := func(base []byte, bounds ...byte) []byte { return wrap(0xA0, wrap(0x30, base, bounds)) }
	for _, tc := range []struct {
		name      string
		tree      []byte
		subject   []byte
		alt       [][]byte
		says      string
		otherwise string // why our verdict differs; empty if it is the same
	}{
		{"permitted directory name: inside", permitted(dir(name("O=Partner,C=DE"))), name("CN=a,O=Partner,C=DE"), nil, good, ""},
		{"permitted directory name: another type, case and spacing", permitted(dir(asPrintable("O=PARTNER  GmbH,C=DE"))), name("CN=a,O=partner gmbh,C=de"), nil, good, ""},
		{"permitted directory name: outside", permitted(dir(name("O=Partner,C=DE"))), name("CN=a,O=Other,C=DE"), nil, permittedError, ""},
		{"permitted directory name: alternative name outside", permitted(dir(name("O=Partner"))), name("CN=a,O=Partner"), [][]byte{dir(name("O=Other"))}, permittedError, ""},
		{"permitted directory name: empty subject", permitted(dir(name("O=Partner"))), name(""), [][]byte{dns("a.example")}, good, ""},
		{"permitted directory name: the opposite order", permitted(dir(name("O=Partner,C=DE"))), name("C=DE,O=Partner,CN=a"), nil, permittedError, ""},
		{"excluded directory name: inside", excluded(dir(name("O=Partner"))), name("CN=a,O=Partner"), nil, excludedError, ""},
		{"excluded directory name: another type and case", excluded(dir(asPrintable("O=PARTNER"))), name("CN=a,O=partner"), nil, excludedError, ""},
		{"excluded directory name: outside", excluded(dir(name("O=Partner"))), name("CN=a,O=Other"), nil, good, ""},
		{"excluded directory name: empty base", excluded(dir(name(""))), name("CN=a"), nil, excludedError, ""},
		{"excluded directory name: a composed letter and the same in two", excluded(dir(name("O=Z\u00FCrich"))), name("O=Zu\u0308rich"), nil, good, "OpenSSL does not normalise, nor do we: what cannot be compared counts as excluded"},
		{"permitted UPN: a UPN below", permitted(upn("a@b")), name("CN=a"), [][]byte{upn("a@b")}, typeError, ""},
		{"excluded UPN: a UPN below", excluded(upn("a@b")), name("CN=a"), [][]byte{upn("c@d")}, typeError, ""},
		{"permitted UPN: none below", permitted(upn("a@b")), name("CN=a"), [][]byte{dns("a.example")}, good, ""},
		{"permitted UPN: another otherName below", permitted(upn("a@b")), name("CN=a"), [][]byte{other(otherType, wrap(0x0C, []byte("a")))}, good, ""},
		{"permitted registered ID: one below", permitted(registry), name("CN=a"), [][]byte{registry}, typeError, ""},
		{"permitted registered ID: none below", permitted(registry), name("CN=a"), nil, good, ""},
		{"maximum", bounded(dns("a.example"), 0x81, 1, 5), name(""), [][]byte{dns("a.example")}, boundsError, ""},
		{"minimum 1", bounded(dns("a.example"), 0x80, 1, 1), name(""), [][]byte{dns("a.example")}, boundsError, ""},
		{"minimum 0 written out", bounded(dns("a.example"), 0x80, 1, 0), name(""), [][]byte{dns("a.example")}, good, ""},
		{"maximum on a form that does not occur", bounded(dns("a.example"), 0x81, 1, 5), name("CN=a"), [][]byte{email("a@b")}, good, "such an extension is refused whatever it meets"},
		{"permitted DNS name: below", permitted(dns("host.example")), name(""), [][]byte{dns("A.HOST.example")}, good, ""},
		{"permitted DNS name: ends alike", permitted(dns("host.example")), name(""), [][]byte{dns("ghost.example")}, permittedError, ""},
		{"permitted DNS name: a dot, and the domain itself", permitted(dns(".host.example")), name(""), [][]byte{dns("host.example")}, permittedError, ""},
		{"permitted DNS name: a dot, below", permitted(dns(".host.example")), name(""), [][]byte{dns("a.host.example")}, good, ""},
		{"finding C21: permitted DNS name: a common name in place of one", permitted(dns("host.example")), name("CN=evil.example"), nil, permittedError, "RFC 5280, section 4.2.1.10: a constraint on DNS names concerns alternative names; beside one OpenSSL does not look at the common name either"},
		{"finding C21: permitted DNS name: a common name beside one", permitted(dns("host.example")), name("CN=evil.example"), [][]byte{dns("a.host.example")}, good, ""},
		{"excluded DNS name: every", excluded(dns("")), name(""), [][]byte{dns("a.example")}, excludedError, ""},
		{"excluded DNS name: a wildcard over it", excluded(dns("www.host.example")), name(""), [][]byte{dns("*.host.example")}, good, "the wildcard stands for the excluded name"},
		{"permitted host of e-mail: that host", permitted(email("host.example")), name(""), [][]byte{email("a@HOST.example")}, good, ""},
		{"permitted host of e-mail: below", permitted(email("host.example")), name(""), [][]byte{email("a@b.host.example")}, permittedError, ""},
		{"permitted domain of e-mail: below", permitted(email(".host.example")), name(""), [][]byte{email("a@b.host.example")}, good, ""},
		{"permitted mailbox: another case", permitted(email("a@host.example")), name(""), [][]byte{email("A@host.example")}, permittedError, ""},
		{"e-mail in the subject: outside", permitted(email("host.example")), directory(t, 0x16, "E=a@evil.example"), nil, permittedError, ""},
		{"e-mail in the subject: outside, beside an alternative name inside", permitted(email("host.example")), directory(t, 0x16, "E=a@evil.example"), [][]byte{email("a@host.example")}, permittedError, ""},
		{"e-mail in the subject: inside", permitted(email("host.example")), directory(t, 0x16, "E=a@host.example"), nil, good, ""},
		{"permitted URI host: that host", permitted(uri("host.example")), name(""), [][]byte{uri("https://host.example:1/")}, good, ""},
		{"permitted URI host: below", permitted(uri("host.example")), name(""), [][]byte{uri("https://a.host.example/")}, permittedError, ""},
		{"permitted URI domain: below", permitted(uri(".host.example")), name(""), [][]byte{uri("https://a.host.example/")}, good, ""},
		{"permitted URI host: no authority", permitted(uri("host.example")), name(""), [][]byte{uri("urn:uuid:1")}, syntaxError, ""},
		{"excluded URI host", excluded(uri("host.example")), name(""), [][]byte{uri("https://host.example/")}, excludedError, ""},
		{"permitted IP address: inside", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0)), name(""), [][]byte{ip(192, 0, 2, 9)}, good, ""},
		{"permitted IP address: outside", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0)), name(""), [][]byte{ip(192, 0, 3, 9)}, permittedError, ""},
		{"permitted IP address: of the other family", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0)), name(""), [][]byte{ip(make([]byte, 16)...)}, permittedError, ""},
		{"excluded IP address: bits beyond the mask", excluded(ip(10, 200, 2, 0, 255, 255, 0, 0)), name(""), [][]byte{ip(10, 200, 0, 241)}, excludedError, ""},
		{"excluded IP address: the IPv6 form of one", excluded(ip(192, 0, 2, 0, 255, 255, 255, 0)), name(""), [][]byte{ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1)}, good, "nobody can say which of the two it is"},
		{"permitted IP address: a mask with a gap", permitted(ip(192, 0, 2, 0, 255, 0, 255, 0)), name(""), [][]byte{ip(192, 9, 2, 1)}, good, "RFC 4632 knows contiguous masks alone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			chain, files := issued(t, tc.tree, tc.subject, tc.alt)
			said := verify(files)
			assert.Equal(t, tc.says, said)
			err := check(chain)
			if (said == good) == (tc.otherwise == "") {
				assert.NoError(t, err)
			} else {
				assert.Error(t, err)
			}
		})
	}
}

// issued signs a chain of three certificates, of which the second has the constraints, and writes
// each to a file. crypto/x509 cannot read all of them, so they are parsed here.
func issued(t *testing.T, tree, subject []byte, alt [][]byte) (chain []*x509.Certificate, files []string) {
	t.Helper()
	signer := newSigner(t)
	root, issuing := directory(t, utf8Text, "CN=Root"), directory(t, utf8Text, "CN=CA")
	leaf := cert(subject, issuing)
	if len(alt) > 0 {
		leaf.Extensions = append(leaf.Extensions, altNames(alt...))
	}
	chain = []*x509.Certificate{leaf, cert(issuing, root, constraints(tree)), cert(root, root)}
	for i, one := range chain {
		template := x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 1), NotBefore: signer.now, NotAfter: signer.now.Add(time.Hour), RawSubject: one.RawSubject,
			ExtraExtensions: append([]pkix.Extension(nil), one.Extensions...),
		}
		if i > 0 {
			template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		}
		parent := x509.Certificate{RawSubject: one.RawIssuer, PublicKey: signer.key.Public()}
		der, err := x509.CreateCertificate(rand.Reader, &template, &parent, signer.key.Public(), signer.key)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "certificate.pem")
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
		files = append(files, file)
	}
	return chain, files
}

// openssl returns a function that returns the number of the error that openssl verify finds in a
// chain, or "". If CERTAUTH_REQUIRE_REAL is 1, openssl must be installed.
func openssl(t *testing.T) func(files []string) string {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), "openssl", "version").Output()
	if err != nil || !bytes.HasPrefix(version, []byte("OpenSSL ")) {
		if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
			t.Fatalf("CERTAUTH_REQUIRE_REAL=1: openssl is not installed, or is another program of that name: %s", version)
		}
		t.Skip("openssl is not installed, or is another program of that name; CERTAUTH_REQUIRE_REAL=1 requires it")
	}
	found := regexp.MustCompile(`(?m)^error (\d+) at `)
	return func(files []string) string {
		command := exec.CommandContext(t.Context(), "openssl", "verify", "-no_check_time", "-CAfile", files[2], "-untrusted", files[1], files[0])
		output, err := command.CombinedOutput()
		if err == nil {
			require.True(t, bytes.HasSuffix(output, []byte(": OK\n")), "%s", output)
			return good
		}
		number := found.FindSubmatch(output)
		require.NotNil(t, number, "%v: %s", err, output)
		return string(number[1])
	}
}
