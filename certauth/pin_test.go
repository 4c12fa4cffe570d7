package certauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func sha1Pin(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}

func spkiPin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// pinsOf pins one certificate in every possible way.
func pinsOf(c *x509.Certificate) map[string]certauth.Policy {
	return map[string]certauth.Policy{
		"Thumbprints":     certauth.Thumbprints{thumbprint(c)},
		"ThumbprintsSHA1": certauth.ThumbprintsSHA1{sha1Pin(c)},
		"PublicKeys":      certauth.PublicKeys{spkiPin(c)},
		"Certificates":    certauth.Certificates(c),
	}
}

// CVE-2024-2048 Vault (openbao#173): the trusted leaf was compared by serial number and key id.
// Front ends row 59.
func TestPin_ForgedSerialAndKeyIDDoNotMatch(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner CA")
	genuine := ca.Issue(t, "client", certauthtest.DNS("orders.partner.example"), func(c *x509.Certificate) { c.SubjectKeyId = []byte("key identifier") }).Certificate
	forged := forge(t, genuine, ca.Certificate)
	require.Equal(t, genuine.SerialNumber, forged.SerialNumber)
	require.Equal(t, genuine.RawSubject, forged.RawSubject)
	require.Equal(t, genuine.RawIssuer, forged.RawIssuer)
	require.Equal(t, genuine.SubjectKeyId, forged.SubjectKeyId)
	require.Equal(t, genuine.AuthorityKeyId, forged.AuthorityKeyId)
	for name, policy := range pinsOf(genuine) {
		_, err := judge(t, policy, genuine)
		assert.NoError(t, err, name)
		_, err = judge(t, policy, forged)
		assert.Equal(t, certauth.ReasonPinMismatch, reasonOf(err), "%s: %v", name, err)
		_, err = judge(t, policy, forged, genuine)
		assert.Equal(t, certauth.ReasonPinMismatch, reasonOf(err), "%s, the genuine one sent along: %v", name, err)
	}
}

// CVE-2025-6037 Vault: same key, new CN accepted under a non-CA pin. Front ends row 60.
func TestPin_SPKIPinDoesNotVouchForNames(t *testing.T) {
	w := newWorld(t)
	renamed := certauthtest.SelfSigned(t, "admin").Certificate
	pin := certauth.PublicKeys{spkiPin(renamed)}
	id, err := judge(t, pin, renamed)
	require.NoError(t, err)
	assert.False(t, id.NamesVouched())

	const advice = ": a public-key pin does not vouch for names; add a Chain or pin the certificate"
	behind := func(rule certauth.Policy) certauth.Policy { return certauth.All{pin, rule} }
	runMisconfigured(t, []misconfigured{
		{"Subject", behind(certauth.Subject{"CN=admin"}), []string{"Policy.All[1].Subject" + advice}},
		{"CommonNames", behind(certauth.CommonNames{"admin"}), []string{"Policy.All[1].CommonNames" + advice}},
		{"Organizations", behind(certauth.Organizations{"x"}), []string{"Policy.All[1].Organizations" + advice}},
		{"OrganizationalUnits", behind(certauth.OrganizationalUnits{"x"}), []string{"Policy.All[1].OrganizationalUnits" + advice}},
		{"DNSNames", behind(certauth.DNSNames{"a.example"}), []string{"Policy.All[1].DNSNames" + advice}},
		{"URIs", behind(certauth.URIs{"https://a.example/"}), []string{"Policy.All[1].URIs" + advice}},
		{"SPIFFEIDs", behind(certauth.SPIFFEIDs{"spiffe://a.example"}), []string{"Policy.All[1].SPIFFEIDs" + advice}},
		{"Emails", behind(certauth.Emails{"@a.example"}), []string{"Policy.All[1].Emails" + advice}},
		{"IPs", behind(certauth.IPs{"10.0.0.0/8"}), []string{"Policy.All[1].IPs" + advice}},
		{"UPNs", behind(certauth.UPNs{"a@a.example"}), []string{"Policy.All[1].UPNs" + advice}},
		{"Extension", behind(certauth.Extension{OID: "1.2.3", Present: true}), []string{"Policy.All[1].Extension" + advice}},
		{"Denied.Serials", behind(certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=x", Serial: "01"}}}), []string{"Policy.All[1].Denied.Serials" + advice}},
		{"under Not", behind(certauth.Not{Policy: certauth.CommonNames{"admin"}}), []string{"Policy.All[1].Not.CommonNames" + advice}},
		{"a key pin in one branch is enough to spoil it", certauth.All{certauth.Any{w.chain(), pin}, certauth.CommonNames{"admin"}}, []string{"Policy.All[1].CommonNames" + advice}},
	})
	t.Run("a Chain vouches for them too", func(t *testing.T) {
		policy := certauth.All{certauth.PublicKeys{spkiPin(w.leaf.Certificate)}, w.chain(), certauth.CommonNames{"client"}}
		id, err := judge(t, policy, w.leaf.Certificate)
		require.NoError(t, err)
		assert.True(t, id.NamesVouched())
		_, err = judge(t, append(certauth.All{pin}, policy[1:]...), renamed)
		assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
	})
}

// cca #126, #207; API Management's upper-case comparison. Front ends row 62.
func TestPin_SpellingIsNormalisedAndSHA1NeedsOptIn(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client").Certificate
	pin := thumbprint(leaf)
	colons := func(s string) string {
		var pairs []string
		for i := 0; i < len(s); i += 2 {
			pairs = append(pairs, s[i:i+2])
		}
		return strings.Join(pairs, ":")
	}
	for name, spelling := range map[string]string{
		"lower case":             pin,
		"upper case":             strings.ToUpper(pin),
		"mixed case":             strings.ToUpper(pin[:20]) + pin[20:],
		"colons":                 colons(pin),
		"upper case, colons":     strings.ToUpper(colons(pin)),
		"spaces":                 strings.ReplaceAll(colons(pin), ":", " "),
		"U+200E in front":        "\u200e" + pin,
		"trailing U+200E":        pin + "\u200e",
		"blanks around":          " \t" + pin + " ",
		"one group of two bytes": pin[:4] + " " + pin[4:],
	} {
		_, err := judge(t, certauth.Thumbprints{spelling}, leaf)
		assert.NoError(t, err, name)
	}
	spki, err := base64.StdEncoding.DecodeString(spkiPin(leaf))
	require.NoError(t, err)
	for name, spelling := range map[string]string{"base64": spkiPin(leaf), "hex": hex.EncodeToString(spki), "hex with colons": colons(hex.EncodeToString(spki))} {
		_, err := judge(t, certauth.PublicKeys{spelling}, leaf)
		assert.NoError(t, err, name)
	}
	_, err = judge(t, certauth.ThumbprintsSHA1{strings.ToUpper(sha1Pin(leaf))}, leaf)
	require.NoError(t, err)

	sha1 := sha1Pin(leaf)
	runMisconfigured(t, []misconfigured{
		{"SHA-1 among SHA-256", certauth.Thumbprints{pin, sha1}, []string{"Policy.Thumbprints[1]: 20 bytes, want 32 (SHA-1 needs ThumbprintsSHA1)"}},
		{"SHA-256 among SHA-1", certauth.ThumbprintsSHA1{pin}, []string{"Policy.ThumbprintsSHA1[0]: 32 bytes, want 20 (SHA-256 needs Thumbprints)"}},
		{"a byte too few of SHA-1", certauth.ThumbprintsSHA1{sha1[2:]}, []string{"Policy.ThumbprintsSHA1[0]: 19 bytes, want 20"}},
		{"20 bytes for a public key", certauth.All{certauth.Certificates(leaf), certauth.PublicKeys{sha1}}, []string{"Policy.All[1].PublicKeys[0]: 20 bytes, want 32"}},
		{"a byte too few", certauth.Thumbprints{pin[2:]}, []string{"Policy.Thumbprints[0]: 31 bytes, want 32"}},
		{"a byte too many", certauth.Thumbprints{pin + "00"}, []string{"Policy.Thumbprints[0]: 33 bytes, want 32"}},
		{"half a byte", certauth.Thumbprints{pin + "0"}, []string{"Policy.Thumbprints[0]: not whole bytes in hex"}},
		{"base64 for a thumbprint", certauth.Thumbprints{spkiPin(leaf)}, []string{"Policy.Thumbprints[0]: base64 of 32 bytes; Thumbprints are written in hex; only PublicKeys, the hash of a public key, may be in base64"}},
		{"an empty entry", certauth.Thumbprints{pin, " "}, []string{"Policy.Thumbprints[1]: empty pin"}},
		{"an empty list", certauth.Thumbprints{}, []string{"Policy.Thumbprints: empty"}},
		{"a nil list", certauth.PublicKeys(nil), []string{"Policy.PublicKeys: empty"}},
		{"a separator within a byte", certauth.Thumbprints{pin[:3] + ":" + pin[3:]}, []string{"Policy.Thumbprints[0]: separator at offset 3 is not between two bytes"}},
		{"a separator in front", certauth.Thumbprints{":" + pin}, []string{"Policy.Thumbprints[0]: separator at offset 0 is not between two bytes"}},
		{"two separators", certauth.Thumbprints{pin[:2] + "::" + pin[2:]}, []string{"Policy.Thumbprints[0]: separator at offset 3 is not between two bytes"}},
		{"a separator behind", certauth.Thumbprints{pin + ":"}, []string{"Policy.Thumbprints[0]: separator at the end"}},
		{"base64 without padding", certauth.PublicKeys{strings.TrimSuffix(spkiPin(leaf), "=")}, []string{"Policy.PublicKeys[0]: neither hex nor padded standard base64"}},
		{"base64 with a line end", certauth.PublicKeys{spkiPin(leaf)[:8] + "\n" + spkiPin(leaf)[8:]}, []string{"Policy.PublicKeys[0]: neither hex nor padded standard base64"}},
		{"nil in Certificates", certauth.Certificates(leaf, nil), []string{"Policy.Certificates: certificate 1 is nil or was not parsed"}},
		{"no Certificates", certauth.Certificates(), []string{"Policy.Certificates: no certificate"}},
	})
}

// Caddy's fingerprint of nothing (reproduced): SHA-256 and SHA-1 of the empty string, as printed by
// sha256sum and sha1sum for /dev/null.
func TestPin_DigestOfNothingIsRefused(t *testing.T) {
	const (
		nothing256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		nothing1   = "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09"
		base256    = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
		says       = ": digest of an empty text, which front ends send when there is no certificate"
	)
	runMisconfigured(t, []misconfigured{
		{"SHA-256", certauth.Thumbprints{nothing256}, []string{"Policy.Thumbprints[0]" + says}},
		{"SHA-1", certauth.ThumbprintsSHA1{nothing1}, []string{"Policy.ThumbprintsSHA1[0]" + says}},
		{"public key in hex", certauth.PublicKeys{nothing256}, []string{"Policy.PublicKeys[0]" + says}},
		{"public key in base64", certauth.PublicKeys{base256}, []string{"Policy.PublicKeys[0]" + says}},
	})
}

// malleate returns the certificate with its ECDSA signature (r, s) as (r, n-s): another valid
// encoding with another thumbprint.
func malleate(t *testing.T, cert *x509.Certificate) *x509.Certificate {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	_, err := asn1.Unmarshal(cert.Raw, &outer)
	require.NoError(t, err)
	var signature struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(outer.Signature.Bytes, &signature)
	require.NoError(t, err)
	signature.S.Sub(elliptic.P256().Params().N, signature.S)
	twisted, err := asn1.Marshal(signature)
	require.NoError(t, err)
	outer.Signature = asn1.BitString{Bytes: twisted, BitLength: 8 * len(twisted)}
	der, err := asn1.Marshal(outer)
	require.NoError(t, err)
	twin, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return twin
}

// ECDSA (r, n-s), reproduced: a second valid DER with another thumbprint. Front ends row 61.
func TestPin_DenyByThumbprintIsNotOffered(t *testing.T) {
	w := newWorld(t)
	twin := malleate(t, w.leaf.Certificate)
	require.NotEqual(t, thumbprint(w.leaf.Certificate), thumbprint(twin))
	require.IsType(t, &ecdsa.PublicKey{}, w.ca.Certificate.PublicKey)
	bySerial := certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=Test Root CA,O=certauthtest", Serial: w.leaf.SerialNumber.Text(16)}}}
	byKey := certauth.Denied{PublicKeys: []string{spkiPin(w.leaf.Certificate)}}
	runVerdicts(t, []verdict{
		{"the twin has a good chain", w.chain(), twin, certauth.ReasonNone},
		{"the twin is not the pinned certificate", certauth.Thumbprints{thumbprint(w.leaf.Certificate)}, twin, certauth.ReasonPinMismatch},
		{"the twin is denied by issuer and serial", w.behind(bySerial), twin, certauth.ReasonCertificateDenied},
		{"the twin is denied by key", w.behind(byKey), twin, certauth.ReasonCertificateDenied},
	})
	const says = ": not allowed under Not; only rules on names, issuers and extensions are"
	runMisconfigured(t, []misconfigured{
		{"Not over Thumbprints", w.behind(certauth.Not{Policy: certauth.Thumbprints{pinOfNobody}}), []string{"Policy.All[1].Not.Thumbprints" + says}},
		{"Not over ThumbprintsSHA1", w.behind(certauth.Not{Policy: certauth.ThumbprintsSHA1{pinOfNobody[:40]}}), []string{"Policy.All[1].Not.ThumbprintsSHA1" + says}},
		{"Not over Certificates", w.behind(certauth.Not{Policy: certauth.Certificates(twin)}), []string{"Policy.All[1].Not.Certificates" + says}},
	})
	for _, field := range reflect.VisibleFields(reflect.TypeFor[certauth.Denied]()) {
		assert.NotContains(t, strings.ToLower(field.Name), "thumb")
	}
}

// ghostunnel's pins; CVE-2024-6156 LXD: pinning disabled chain, dates and names.
func TestPin_PinnedCertificateStillExpires(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client", certauthtest.Valid(noon.Add(-time.Hour), noon)).Certificate
	server := certauthtest.SelfSigned(t, "client", serverOnly).Certificate
	for name, policy := range pinsOf(leaf) {
		for _, tc := range []struct {
			at   time.Time
			want certauth.Reason
		}{
			{noon.Add(-time.Hour - time.Second), certauth.ReasonCertificateNotYetValid},
			{noon.Add(-time.Hour), certauth.ReasonNone},
			{noon, certauth.ReasonNone},
			{noon.Add(time.Second), certauth.ReasonCertificateExpired},
		} {
			_, err := judgeAt(t, tc.at, policy, leaf)
			assert.Equal(t, tc.want, reasonOf(err), "%s at %s: %v", name, tc.at, err)
		}
	}
	for name, policy := range pinsOf(server) {
		_, err := judge(t, policy, server)
		assert.Equal(t, certauth.ReasonUsageNotAllowed, reasonOf(err), "%s: %v", name, err)
	}
	t.Run("and a pin does not stand for a chain", func(t *testing.T) {
		_, err := judgeAt(t, noon, certauth.All{certauth.Certificates(leaf), chainOf(aroundNoon(t))}, leaf)
		assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
	})
}

func TestPin_AnyOfManyIsFound(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client").Certificate
	var list certauth.Thumbprints
	for i := range 1000 {
		sum := sha256.Sum256(big.NewInt(int64(i)).Bytes())
		list = append(list, hex.EncodeToString(sum[:]))
	}
	list[0] = pinOfNobody // the digest of no bytes would be refused
	_, err := judge(t, list, leaf)
	assert.Equal(t, certauth.ReasonPinMismatch, reasonOf(err))
	_, err = judge(t, append(list, thumbprint(leaf), thumbprint(leaf)), leaf)
	assert.NoError(t, err)
}

// A key has one encoding: another one that crypto/x509 also reads would evade a deny list.
func TestPin_KeyHasOneEncoding(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	twin := *leaf.Certificate
	twin.RawSubjectPublicKeyInfo = append([]byte(nil), twin.RawSubjectPublicKeyInfo...)
	twin.RawSubjectPublicKeyInfo[len(twin.RawSubjectPublicKeyInfo)-1] ^= 1
	_, err := judge(t, certauth.Certificates(leaf.Certificate), &twin)
	assertReason(t, certauth.ReasonCertificateMalformed, err)
	assert.ErrorContains(t, err, "canonical encoding")
}
