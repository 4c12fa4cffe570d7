package evidence_test

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

const saysUnknown = "unknown"

// answerDifferences lists where the results of VerifyOCSP and openssl ocsp may differ, and why ours
// is right.
var answerDifferences = []allowedDifference{
	// What openssl accepts and is refused here.
	{"20 days old", saysRefused, saysGood, "RFC 6960, section 3.2 (5), leaves to us what is sufficiently recent: VerifyOptions.MaxAge"},
	{"20 days old", saysRefused, saysRevoked, "the same; StaleRevoked denies under every Config"},
	{"20 days old", saysRefused, saysUnknown, "the same"},
	{"a day old without nextUpdate", saysRefused, saysGood, "RFC 6960, section 4.2.2.1: newer information is available all the time; VerifyOptions.NoNextUpdateMaxAge"},
	{"a day old without nextUpdate", saysRefused, saysRevoked, "the same"},
	{"a day old without nextUpdate", saysRefused, saysUnknown, "the same"},
	{"produced tomorrow", saysRefused, anything, "RFC 6960, section 4.2.2.1: producedAt is when it was signed; openssl does not look at it"},
	{"a critical extension", saysRefused, anything, "RFC 6960, section 4.4, and RFC 5280, section 4.2: critical and not understood; openssl passes over it"},
	{"a critical extension of the answer", saysRefused, anything, "the same"},
	{"SHA-1", saysRefused, anything, "RFC 6194, section 3: not for new signatures; AllowSHA1"},
	{"a byte behind", saysRefused, anything, "RFC 6960, section 4.2.1: DER of one OCSPResponse and nothing behind it"},
	{"a CA for a delegate", saysRefused, anything, "RFC 6960, section 4.2.2.2, speaks of a responder's certificate; what is certified to issue is refused, see RULES.md, check 9"},
	{"a delegate for keyEncipherment", saysRefused, anything, "RFC 5280, section 4.2.1.12: keyUsage of an OCSP signer is digitalSignature or nonRepudiation"},
	{"a delegate with the certificate's key", saysRefused, anything, "RFC 6960, section 4.2.2.2: nobody is his own witness; openssl does not compare keys"},
	{"a delegate that began after it signed", saysRefused, anything, "RFC 6960, section 3.2 (4): authorized when it signed; openssl looks at now alone"},
	{"Good and then Revoked", saysRevoked, saysGood, "RFC 6960, section 2.2: of several answers the strictest counts; openssl takes the first"},
	{"Unknown and then Revoked", saysRevoked, saysUnknown, "the same"},
	{"Good and then Unknown", saysUnknown, saysGood, "the same"},

	// What openssl refuses and is accepted here.
	{"a CertID by SHA-256", anything, saysRefused, "RFC 6960, section 4.1.1: the hash is the responder's to choose; openssl asks by SHA-1 and compares the algorithm"},
	{"a delegate by another key identifier", anything, saysRefused, "RFC 5280, section 4.2.1.1: identifiers facilitate path construction; the signature verifies (RFC 7093)"},
	{"about another spelling of the issuer", anything, saysRefused, "RFC 6960, section 4.1.1: the name is hashed as it stands in the certificate; openssl hashes the CA's own spelling"},
}

// anything is any result except a refusal.
const anything = "*"

func (d allowedDifference) allows(has traits, ours, theirs string) bool {
	is := func(want, got string) bool { return want == got || want == anything && got != saysRefused }
	return has[d.trait] && is(d.ours, ours) && is(d.theirs, theirs)
}

// TestVerifyOCSP_AgainstOpenSSL compares VerifyOCSP with openssl ocsp -respin for answers that are
// mostly correct, made for the current time, because openssl checks the times of an answer only
// against that. Both must give the same result, except for what a row of answerDifferences
// explains. CERTAUTH_SEED repeats a run; CERTAUTH_EXHAUSTIVE=1 makes 2500.
func TestVerifyOCSP_AgainstOpenSSL(t *testing.T) {
	program := findOpenSSL(t)
	seed, count := rand.Uint64(), 150
	if text := os.Getenv("CERTAUTH_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	if os.Getenv("CERTAUTH_EXHAUSTIVE") == "1" {
		count = 2500
	}
	t.Logf("CERTAUTH_SEED=%d", seed)
	g := &answerMaker{generator: generator{random: rand.New(rand.NewPCG(seed, 0))}}
	g.begin(t)
	program.write(t, "trusted.pem", slices.Concat(pemOf("CERTIFICATE", g.root.cert.Raw), pemOf("CERTIFICATE", g.ca.cert.Raw)))
	program.write(t, "ca.pem", pemOf("CERTIFICATE", g.ca.cert.Raw))
	outcomes, differ := map[string]int{}, map[string]int{}
	for n := range count {
		g.has = traits{}
		g.at = time.Now().Truncate(time.Second)
		client, der := g.make(t)
		program.write(t, "client.pem", pemOf("CERTIFICATE", client.cert.Raw))
		program.write(t, "answer.der", der)
		ours, theirs := saysRefused, answerByOpenSSL(t, program)
		result, err := evidence.VerifyOCSP(der, client.cert, g.ca.cert, at(g.at))
		if err == nil {
			ours = result.Status.String()
		}
		require.False(t, ours == saysGood && theirs == saysRevoked, "answer %d of seed %d, %v: a revoked certificate is accepted", n, seed, g.has)
		outcomes[ours]++
		if ours == theirs {
			continue
		}
		why := slices.IndexFunc(answerDifferences, func(d allowedDifference) bool { return d.allows(g.has, ours, theirs) })
		require.GreaterOrEqual(t, why, 0, "answer %d of seed %d, %v: we say %s (%v), openssl %s", n, seed, g.has, ours, err, theirs)
		differ[answerDifferences[why].trait]++
	}
	t.Log(outcomes, differ)
	for _, outcome := range []string{saysGood, saysRevoked, saysUnknown, saysRefused} {
		require.Greater(t, outcomes[outcome], count/100, outcome)
	}
}

var statusLine = regexp.MustCompile(`(?m)^client\.pem: (good|revoked|unknown)$`)

// answerByOpenSSL returns the program's verdict on the answer, with its own clock.
func answerByOpenSSL(t *testing.T, program *openssl) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program.path, "ocsp", "-respin", "answer.der", "-issuer", "ca.pem", "-cert", "client.pem",
		"-CAfile", "trusted.pem", "-no_nonce", "-no-CApath", "-no-CAstore")
	command.Dir = program.folder
	output, err := command.CombinedOutput()
	text := string(output)
	status := statusLine.FindStringSubmatch(text)
	switch {
	case strings.Contains(text, "Response verify OK") && status != nil && !strings.Contains(text, "Status times invalid"):
		require.NoError(t, err, text)
		return status[1]
	case regexp.MustCompile(`(?i)verify fail|Status times invalid|No Status found|Responder Error|Error (reading|parsing)`).MatchString(text):
		return saysRefused
	}
	require.Failf(t, "openssl ocsp says neither a status nor why there is none", "%v: %s", err, text)
	return ""
}

// answerMaker makes clients of one CA and answers about them.
type answerMaker struct {
	generator
	at                          time.Time
	root, ca, sibling, stranger *identity
}

// cert makes a certificate that is valid around the current time, for longer than a run takes.
func (g *answerMaker) cert(t *testing.T, name string, key crypto.Signer, issuer *identity, changes ...change) *identity {
	t.Helper()
	return makeCert(t, name, key, issuer, append(changes[:1:1], append([]change{func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-30*day), time.Now().Add(60*day)
	}}, changes[1:]...)...)...)
}

func (g *answerMaker) begin(t *testing.T) {
	g.root = g.cert(t, "Root", newKey(t), nil, asCA)
	g.ca = g.cert(t, "Clients CA", newKey(t), g.root, asCA)
	g.sibling = g.cert(t, "Clients CA", newKey(t), g.root, asCA)
	g.stranger = g.cert(t, "Stranger CA", newKey(t), nil, asCA)
}

func (g *answerMaker) make(t *testing.T) (*identity, []byte) {
	t.Helper()
	issuer := g.ca
	if g.one("about another spelling of the issuer") != "" {
		spelled := *g.ca.cert
		spelled.RawSubject = replaceOnce(t, spelled.RawSubject, []byte("Clients CA"), []byte("CLIENTS ca"))
		issuer = &identity{cert: &spelled, key: g.ca.key}
	}
	client := g.cert(t, "client", newKey(t), issuer, asClient)
	r := ocsptest.Response{Responder: ocsptest.ByName(g.ca.cert.RawSubject), ProducedAt: ocsptest.At(g.at.Add(-30 * time.Minute)), Key: g.ca.key}
	r.Answers = g.answers(t, client, issuer)
	if g.has["of a moment ahead"] { // by a clock that is ahead
		r.ProducedAt = ocsptest.At(g.at.Add(2 * time.Minute))
	}
	g.sign(t, &r, client)
	unknown := ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}
	harmless := unknown
	harmless.Critical = false
	switch g.one("a critical extension", "a critical extension of the answer", "an extension", "produced tomorrow", "a nonce") {
	case "a critical extension":
		r.Extensions = []ocsptest.Extension{unknown}
	case "a critical extension of the answer":
		r.Answers[0].Extensions = []ocsptest.Extension{unknown}
	case "an extension":
		r.Extensions = []ocsptest.Extension{harmless}
	case "produced tomorrow":
		r.ProducedAt = ocsptest.At(g.at.Add(day))
	case "a nonce":
		r.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: ocsptest.Element(ocsptest.TagOctetString, []byte("0123456789abcdef"))}}
	}
	switch g.one("forged", "SHA-1", "refused by the responder", "a byte behind", "cut", "about nobody") {
	case "forged":
		r.Forge = func(tbs []byte) []byte {
			tbs = slices.Clone(tbs)
			tbs[g.random.IntN(len(tbs)-40)+20] ^= 1
			return tbs
		}
	case "SHA-1":
		r.Algorithm = ocsptest.ECDSA(crypto.SHA1)
	case "refused by the responder":
		r = ocsptest.Response{Status: []byte{1, 2, 3, 5, 6}[g.random.IntN(5)], WithoutBytes: true}
	case "a byte behind":
		r.Behind = map[ocsptest.Place][]byte{ocsptest.AfterAll: {0}}
	case "cut":
		der := encode(t, r)
		return client, der[:len(der)-1-g.random.IntN(len(der)-1)]
	case "about nobody":
		r.Answers = nil
	}
	return client, encode(t, r)
}

// answers returns one answer, or two of which one may be about another certificate.
func (g *answerMaker) answers(t *testing.T, client, issuer *identity) []ocsptest.Answer {
	t.Helper()
	status := map[string][]byte{
		"Good": ocsptest.StatusGood, "Unknown": ocsptest.StatusUnknown,
		"Revoked": ocsptest.StatusRevoked(ocsptest.At(g.at.Add(-day)), g.random.IntN(7)-1),
	}
	id := ocsptest.IDOf(crypto.SHA1, issuer.cert, client.cert.SerialNumber)
	switch g.one("a CertID by SHA-256", "about another serial number", "about another CA's key", "about another CA's name") {
	case "a CertID by SHA-256":
		id = ocsptest.IDOf(crypto.SHA256, issuer.cert, client.cert.SerialNumber)
	case "about another serial number":
		id.Serial = ocsptest.Integer(new(big.Int).Add(client.cert.SerialNumber, big.NewInt(1)))
	case "about another CA's key":
		id.KeyHash = ocsptest.IDOf(crypto.SHA1, g.stranger.cert, client.cert.SerialNumber).KeyHash
	case "about another CA's name":
		id.NameHash = ocsptest.IDOf(crypto.SHA1, g.stranger.cert, client.cert.SerialNumber).NameHash
	}
	from, to := g.at.Add(-time.Hour), g.at.Add(day)
	switch g.one("20 days old", "run out", "of tomorrow", "run out within the skew", "of a moment ahead", "a day old without nextUpdate", "new without nextUpdate") {
	case "20 days old":
		from = g.at.Add(-20 * day)
	case "run out":
		from, to = g.at.Add(-5*day), g.at.Add(-time.Hour)
	case "of tomorrow":
		from, to = g.at.Add(day), g.at.Add(2*day)
	case "run out within the skew":
		to = g.at.Add(-2 * time.Minute)
	case "of a moment ahead":
		from = g.at.Add(2 * time.Minute)
	case "a day old without nextUpdate":
		from, to = g.at.Add(-day), time.Time{}
	case "new without nextUpdate":
		from, to = g.at.Add(-31*time.Minute), time.Time{}
	}
	names := []string{"Good", "Good", "Good", "Revoked", "Revoked", "Unknown"}
	first := names[g.random.IntN(len(names))]
	one := func(id ocsptest.CertID, status []byte) ocsptest.Answer {
		a := ocsptest.Answer{ID: id, Status: status, ThisUpdate: ocsptest.At(from)}
		if !to.IsZero() {
			a.NextUpdate = ocsptest.At(to)
		}
		return a
	}
	all := []ocsptest.Answer{one(id, status[first])}
	switch g.one("about another as well", "about another before", "two answers") {
	case "about another as well":
		all = append(all, one(ocsptest.IDOf(crypto.SHA1, g.ca.cert, big.NewInt(77)), status["Revoked"]))
	case "about another before":
		all = append([]ocsptest.Answer{one(ocsptest.IDOf(crypto.SHA1, g.ca.cert, big.NewInt(77)), status["Revoked"])}, all...)
	case "two answers":
		second := names[g.random.IntN(len(names))]
		all = append(all, one(id, status[second]))
		g.has[fmt.Sprintf("%s and then %s", first, second)] = true
	}
	return all
}

// sign signs with the CA in about half of the cases.
func (g *answerMaker) sign(t *testing.T, r *ocsptest.Response, client *identity) {
	t.Helper()
	by := func(signer *identity) {
		r.Responder, r.Key, r.Certificates = ocsptest.ByName(signer.cert.RawSubject), signer.key, [][]byte{signer.cert.Raw}
	}
	delegate := func(issuer *identity, changes ...change) {
		by(g.cert(t, "responder", newKey(t), issuer, append([]change{asDelegate}, changes...)...))
	}
	switch g.random.IntN(6) {
	case 0, 1:
		delegate(g.ca)
	case 2:
		delegate(g.ca, noExtras)
	}
	switch g.one("signed by the client", "signed by the root", "signed by a sibling of the name", "signed by a stranger", "by a delegate of a sibling", "by a delegate of the root",
		"by a delegate of a stranger", "a delegate without OCSPSigning", "a delegate for any usage", "a delegate that has run out", "a delegate that began after it signed",
		"a delegate for keyEncipherment", "a delegate whose key usage is empty", "a CA for a delegate", "a delegate with the certificate's key", "a delegate by another key identifier",
		"a delegate in other spelling", "a delegate of critical extensions") {
	case "signed by the client":
		by(client)
	case "signed by the root":
		by(g.root)
	case "signed by a sibling of the name":
		by(g.sibling)
	case "signed by a stranger":
		by(g.stranger)
	case "by a delegate of a sibling":
		delegate(g.sibling)
	case "by a delegate of the root":
		delegate(g.root)
	case "by a delegate of a stranger":
		delegate(g.stranger)
	case "a delegate without OCSPSigning":
		delegate(g.ca, usages(x509.ExtKeyUsageClientAuth))
	case "a delegate for any usage":
		delegate(g.ca, usages(x509.ExtKeyUsageAny))
	case "a delegate that has run out":
		delegate(g.ca, valid(g.at.Add(-9*day), g.at.Add(-day)))
	case "a delegate that began after it signed":
		delegate(g.ca, valid(g.at.Add(-10*time.Minute), g.at.Add(day)))
	case "a delegate for keyEncipherment":
		delegate(g.ca, keyUsage(x509.KeyUsageKeyEncipherment))
	case "a delegate whose key usage is empty":
		delegate(g.ca, noUsage)
	case "a CA for a delegate":
		delegate(g.ca, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid = true, true
			c.KeyUsage |= x509.KeyUsageCertSign
		})
	case "a delegate with the certificate's key":
		by(g.cert(t, "responder", client.key, g.ca, asDelegate))
	case "a delegate by another key identifier":
		delegate(g.ca, extra(ocsptest.AuthorityKeyID([]byte("another"))))
	case "a delegate in other spelling":
		spelled := *g.ca.cert
		spelled.RawSubject = replaceOnce(t, spelled.RawSubject, []byte("Clients CA"), []byte("CLIENTS ca"))
		delegate(&identity{cert: &spelled, key: g.ca.key})
	case "a delegate of critical extensions":
		delegate(g.ca, extra(ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}))
	}
	switch g.one("named by key", "in other spelling", "named by another", "without certificates") {
	case "named by key":
		if r.Certificates == nil {
			r.Responder = ocsptest.ByKey(g.ca.cert)
			break
		}
		signer, err := x509.ParseCertificate(r.Certificates[0])
		require.NoError(t, err)
		r.Responder = ocsptest.ByKey(signer)
	case "in other spelling":
		if r.Certificates == nil {
			r.Responder = ocsptest.ByName(replaceOnce(t, g.ca.cert.RawSubject, []byte("Clients CA"), []byte("CLIENTS ca")))
		}
	case "named by another":
		r.Responder = ocsptest.ByName(g.stranger.cert.RawSubject)
	case "without certificates":
		r.Certificates = nil
	}
}

// noUsage is a keyUsage extension without any bit.
func noUsage(c *x509.Certificate) {
	c.KeyUsage = 0
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: []byte{0x03, 0x01, 0x00}})
}
