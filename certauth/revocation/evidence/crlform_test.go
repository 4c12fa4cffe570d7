package evidence_test

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Cases 86 to 88, rule C2: the form.
func TestVerifyCRL_Form(t *testing.T) {
	s := newScene(t)
	der := encode(t, s.list())
	list := func(changes ...func(*ocsptest.List)) []byte { return changed(t, s.list(), changes...) }
	noEntries := func(l *ocsptest.List) { l.Entries = nil }
	emptyEntries := func(l *ocsptest.List) { l.Entries, l.WithEmpty = nil, true }
	v1 := func(l *ocsptest.List) { l.NoVersion = true }
	noExtensions := func(l *ocsptest.List) { l.Extensions = nil }
	block := func(kind string, content []byte, headers map[string]string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content, Headers: headers})
	}
	text := block("X509 CRL", der, nil)
	before := func(what string) []byte { return append([]byte(what), text...) }
	allowV1 := func(o *evidence.VerifyOptions) { o.AllowV1CRL = true }
	const good, unavailable = evidence.Good, evidence.Unavailable
	malformed := evidence.ErrMalformed
	junk := []byte{5, 0}
	cases := []evidenceCase{
		{"case 86 revokedCertificates absent", list(noEntries), nil, good, nil},
		{"case 86 revokedCertificates empty", list(emptyEntries), nil, unavailable, malformed},
		{"case 86 revokedCertificates empty, allowed", list(emptyEntries), func(o *evidence.VerifyOptions) { o.AllowEmptyRevokedList = true }, good, nil},
		{"case 88 DER", der, nil, good, nil},
		{"case 88 PEM", text, nil, good, nil},
		{"case 88 HTML", []byte("<html></html>"), nil, unavailable, malformed},
		{"case 88 two PEM blocks", append(text[:len(text):len(text)], text...), nil, unavailable, malformed},
		{"case 88 a broken PEM block before it", append([]byte("-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n"), text...), nil, unavailable, malformed},
		{"case 88 a PEM block of a certificate", block("CERTIFICATE", der, nil), nil, unavailable, malformed},
		{"case 88 a PEM block with headers", block("X509 CRL", der, map[string]string{"A": "b"}), nil, unavailable, malformed},
		{"case 88 text after the PEM block", append(text[:len(text):len(text)], "x"...), nil, unavailable, malformed},
		{"case 88 nothing", nil, nil, unavailable, malformed},
		// finding C16: a PEM block after anything else was treated as DER and refused.
		{"case 88 PEM after a blank line", before("\n"), nil, good, nil},
		{"case 88 PEM after spaces, a tab and line ends of Windows", before(" \t\r\n\r\n"), nil, good, nil},
		{"case 88 PEM after a byte order mark", before("\xEF\xBB\xBF"), nil, good, nil},
		{"case 88 PEM after a byte order mark and a blank line", before("\xEF\xBB\xBF\r\n"), nil, good, nil},
		{"case 88 PEM after openssl crl -text", before("Certificate Revocation List (CRL):\n        Version 2 (0x1)\n        Issuer: CN = 0\n"), nil, good, nil},
		{"case 88 PEM with line ends of Windows", bytes.ReplaceAll(before("\n"), []byte("\n"), []byte("\r\n")), nil, good, nil},
		{"case 88 PEM and blank lines after it", append(before(""), "\n\n"...), nil, good, nil},
		{"case 88 PEM within a line of text", before("CRL: "), nil, unavailable, malformed},
		{"case 88 DER after a blank line", append([]byte("\n"), der...), nil, unavailable, malformed},
		{"case 88 DER after a byte order mark", append([]byte("\xEF\xBB\xBF"), der...), nil, unavailable, malformed},
		{"case 88 text that names a PEM block", append(before("-----BEGIN nothing\n"), "\n"...), nil, unavailable, malformed},
		{"case 88 text alone", []byte("Certificate Revocation List (CRL):\n"), nil, unavailable, malformed},
		{"case 88 DER that contains the header of a PEM block", list(func(l *ocsptest.List) {
			l.Extensions = append(l.Extensions, ocsptest.Extension{OID: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte("-----BEGIN X509 CRL-----")})
		}), nil, good, nil},
		{"case 88 a PEM block after DER", append(der[:len(der):len(der)], text...), nil, unavailable, malformed},
		{"rule C2 version 1", list(v1, noExtensions), nil, unavailable, malformed},
		{"rule C2 version 1, allowed", list(v1, noExtensions), allowV1, good, nil},
		{"rule C2 version 1 with extensions, allowed", list(v1), allowV1, unavailable, malformed},
		{"rule C2 version 1 with entry extensions, allowed", list(v1, noExtensions, func(l *ocsptest.List) {
			l.Entries = append(l.Entries, entryFor(s.root, ocsptest.ReasonCode(1)))
		}), allowV1, unavailable, malformed},
		{"rule C2 version 3", list(func(l *ocsptest.List) { l.Version = ocsptest.Integer(big.NewInt(2)) }), nil, unavailable, malformed},
		{"rule C2 version 1, written out", list(noExtensions, func(l *ocsptest.List) { l.Version = ocsptest.Integer(big.NewInt(0)) }), allowV1, unavailable, malformed},
		{"rule C2 another algorithm inside", list(func(l *ocsptest.List) { l.Inner = ocsptest.ECDSA(crypto.SHA384).Identifier }), nil, unavailable, malformed},
		{"rule C2 other parameters inside", list(func(l *ocsptest.List) {
			l.Inner = ocsptest.Identifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, []byte{5, 0})
		}), nil, unavailable, malformed},
		{"case 87 cut by a byte", der[:len(der)-1], nil, unavailable, malformed},
		{"case 87 indefinite length", append(append([]byte{0x30, 0x80}, der[4:]...), 0, 0), nil, unavailable, malformed},
		{"case 87 bytes in an entry", list(func(l *ocsptest.List) { l.Entries[0].Behind = junk }), nil, unavailable, malformed},
		{"case 87 an empty list of extensions", list(func(l *ocsptest.List) { l.Extensions = []ocsptest.Extension{} }), nil, unavailable, malformed},
		{"case 87 an empty list of extensions in an entry", list(func(l *ocsptest.List) { l.Entries[0].Extensions = []ocsptest.Extension{} }), nil, unavailable, malformed},
	}
	for _, place := range []ocsptest.Place{
		ocsptest.AfterAll, ocsptest.InOuter, ocsptest.InAlgorithm, ocsptest.InData, ocsptest.InExtensions, ocsptest.InAnswers,
	} {
		cases = append(cases, evidenceCase{
			"case 87 bytes " + string(place),
			list(func(l *ocsptest.List) { l.Behind = map[ocsptest.Place][]byte{place: junk} }), nil, unavailable, malformed,
		})
	}
	run(t, bothWays(t), s.client, s.ca, cases)
	require.NotEqual(t, der, text)
}

// Case 83, rule C4, and case 99: times, to the second.
func TestVerifyCRL_Times(t *testing.T) {
	const second = time.Second
	s := newScene(t)
	times := func(this, next []byte) []byte {
		return changed(t, s.list(), func(l *ocsptest.List) { l.ThisUpdate, l.NextUpdate = this, next })
	}
	utc, general := ocsptest.UTCAt, ocsptest.At
	noNext := func(o *evidence.VerifyOptions) { o.AllowNoNextUpdate = true }
	const good, unavailable = evidence.Good, evidence.Unavailable
	stale, malformed := evidence.ErrNotFresh, evidence.ErrMalformed
	this, next := utc(now.Add(-time.Hour)), utc(now.Add(400*day))
	utcText := func(text string) []byte { return ocsptest.Element(ocsptest.TagUTCTime, []byte(text)) }
	cases := []evidenceCase{
		{"case 83 expired by skew minus a second", times(this, utc(now.Add(-skew+second))), nil, good, nil},
		{"case 83 expired by skew", times(this, utc(now.Add(-skew))), nil, good, nil},
		{"case 83 expired by skew and a second", times(this, utc(now.Add(-skew-second))), nil, unavailable, stale},
		{"case 83 future by skew minus a second", times(utc(now.Add(skew-second)), next), nil, good, nil},
		{"case 83 future by skew", times(utc(now.Add(skew)), next), nil, good, nil},
		{"case 83 future by skew and a second", times(utc(now.Add(skew+second)), next), nil, unavailable, stale},
		{"case 83 no nextUpdate", times(this, nil), nil, unavailable, stale},
		{"case 83 no nextUpdate, allowed", times(this, nil), noNext, good, nil},
		{"case 83 no nextUpdate, allowed, older than MaxAge", times(utc(now.Add(-31*day)), nil), noNext, unavailable, stale},
		{"case 83 nextUpdate in the year 1 is not an absent one", times(this, ocsptest.Text("00010101000000Z")), noNext, unavailable, stale},
		{"case 83 as old as MaxAge", times(utc(now.Add(-30*day)), next), nil, good, nil},
		{"case 83 a second older than MaxAge", times(utc(now.Add(-30*day-second)), next), nil, unavailable, stale},
		{"case 83 older than MaxAge and skew", times(utc(now.Add(-30*day-skew-second)), next), nil, unavailable, stale},
		{"case 83 GeneralizedTime", times(general(now.Add(-time.Hour)), general(now.Add(day))), nil, good, nil},
		{"case 83 nextUpdate in 9999", times(this, ocsptest.Text("99991231235959Z")), nil, good, nil},
		{"case 83 a UTCTime of 49 is 2049", times(this, utcText("490101000000Z")), nil, good, nil},
		{"case 83 a UTCTime of 50 is 1950", times(this, utcText("500101000000Z")), nil, unavailable, stale},
		{"case 83 a UTCTime of 68 is 1968", times(this, utcText("680229000000Z")), nil, unavailable, stale},
	}
	for name, text := range map[string]string{
		"minute precision": "2603021100Z", "an offset": "260302110000+0000", "a fraction": "260302110000.5Z", "a small z": "260302110000z", "the 30th of February": "260230110000Z",
	} {
		short, long := utcText(text), ocsptest.Text("20"+text)
		cases = append(cases,
			evidenceCase{"rule C2 thisUpdate with " + name, times(short, next), nil, unavailable, malformed},
			evidenceCase{"rule C2 nextUpdate with " + name, times(this, short), nil, unavailable, malformed},
			evidenceCase{"rule C2 a GeneralizedTime with " + name, times(long, next), nil, unavailable, malformed},
		)
	}
	run(t, bothWays(t), s.client, s.ca, cases)
	for name, c := range map[string]struct {
		entry ocsptest.Entry
		want  bool
	}{
		"revoked":    {entryFor(s.client), true},
		"on hold":    {entryFor(s.client, ocsptest.ReasonCode(6)), false},
		"not listed": {entryFor(s.other), false},
	} {
		t.Run("case 99 a stale list says "+name, func(t *testing.T) {
			l := s.list(c.entry)
			l.NextUpdate = utc(now.Add(-skew - second))
			result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, unavailable, stale)
			assert.Equal(t, c.want, result.StaleRevoked)
		})
	}
	t.Run("case 83 MaxAgeCA is for CA certificates", func(t *testing.T) {
		sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
		run(t, bothWays(t), sub, s.ca, []evidenceCase{
			{"400 days", times(utc(now.Add(-400*day)), next), nil, good, nil},
			{"400 days and a second", times(utc(now.Add(-400*day-second)), next), nil, unavailable, stale},
		})
	})
}
