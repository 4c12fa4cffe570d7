package evidence_test

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

func changed(t *testing.T, l ocsptest.List, changes ...func(*ocsptest.List)) []byte {
	t.Helper()
	for _, change := range changes {
		change(&l)
	}
	return encode(t, l)
}

func noKeyID(l *ocsptest.List) { l.Extensions = []ocsptest.Extension{ocsptest.CRLNumber(7)} }

// Cases 73 to 75 and 89, rule C3: who issued and signed the list.
func TestVerifyCRL_Issuer(t *testing.T) {
	s := newScene(t)
	stranger := makeCert(t, "Stranger CA", newKey(t), s.root, asCA)
	renewed := makeCert(t, "Clients CA", newKey(t), s.root, asCA) // the same name, the next key
	mute := makeCert(t, "Clients CA", renewed.key, s.root, asCA, keyUsage(x509.KeyUsageCertSign))
	folded := makeCert(t, "clients  CA", newKey(t), nil).cert.RawSubject
	printable, utf8 := []byte("\x13\x0aClients CA"), []byte("\x0c\x0aClients CA")
	otherType := replaceOnce(t, s.ca.cert.RawSubject, printable, utf8)
	signedBy := func(by *identity) func(*ocsptest.List) { return func(l *ocsptest.List) { l.Key = by.key } }
	issuer := func(name []byte) func(*ocsptest.List) { return func(l *ocsptest.List) { l.Issuer = name } }
	keyID := func(of *identity) func(*ocsptest.List) {
		return func(l *ocsptest.List) {
			l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(of.cert.SubjectKeyId)}
		}
	}
	forged := func(l *ocsptest.List) {
		l.Forge = func(tbs []byte) []byte {
			out := append([]byte(nil), tbs...)
			out[len(out)-1] ^= 1 // the cRLNumber
			return out
		}
	}
	signature := encode(t, s.list())
	signature[len(signature)-1] ^= 1
	issuers := func(list ...*identity) func(*evidence.VerifyOptions) {
		return func(o *evidence.VerifyOptions) {
			for _, one := range list {
				o.CRLIssuers = append(o.CRLIssuers, one.cert)
			}
		}
	}
	rekeyed := changed(t, s.list(), signedBy(renewed), keyID(renewed))
	ended := func(l *ocsptest.List) {
		l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(now.Add(-3*day)), ocsptest.UTCAt(now.Add(-2*day))
	}
	const good, unavailable = evidence.Good, evidence.Unavailable
	bad, wrongIssuer := evidence.ErrBadSignature, evidence.ErrCRLIssuer
	run(t, bothWays(t), s.client, s.ca, []evidenceCase{
		{"the base", encode(t, s.list()), nil, good, nil},
		{"the base without an authority key identifier", changed(t, s.list(), noKeyID), nil, good, nil},
		{"case 73 of another issuer, signed by it", changed(t, s.list(), noKeyID, issuer(stranger.cert.RawSubject), signedBy(stranger)), nil, unavailable, wrongIssuer},
		{"case 73 of another issuer, signed by ours", changed(t, s.list(), issuer(stranger.cert.RawSubject)), nil, unavailable, wrongIssuer},
		{"case 73 of our issuer's name and another key", changed(t, s.list(), noKeyID, signedBy(renewed)), nil, unavailable, bad},
		{"case 73 of the root above", changed(t, s.list(), noKeyID, issuer(s.root.cert.RawSubject), signedBy(s.root)), nil, unavailable, wrongIssuer},
		// finding C13: a list that names the issuer's key by another identifier was refused unread.
		{"case 73 the issuer's key by another identifier", changed(t, s.list(), keyID(renewed)), nil, good, nil},
		{"case 73 signed by the certificate in question", changed(t, s.list(), noKeyID, signedBy(s.client)), nil, unavailable, bad},
		{"case 75 the signed part was tampered with", changed(t, s.list(), forged), nil, unavailable, bad},
		{"case 75 the signature was tampered with", signature, nil, unavailable, bad},
		{"case 89 the issuer's name in other case and spacing", changed(t, s.list(), issuer(folded)), nil, good, nil},
		{"case 89 the issuer's name in another string type", changed(t, s.list(), issuer(otherType)), nil, good, nil},
		{"after a change of key, nobody named", rekeyed, nil, unavailable, bad},
		{"after a change of key, the new certificate named", rekeyed, issuers(renewed), good, nil},
		{"after a change of key, a list that has expired before its signer", changed(t, s.list(), signedBy(renewed), keyID(renewed), ended), issuers(renewed), unavailable, evidence.ErrNotFresh},
		{"after a change of key, one without cRLSign named", rekeyed, issuers(mute), unavailable, wrongIssuer},
		{"a CRL issuer of another name", changed(t, s.list(), noKeyID, signedBy(stranger)), issuers(stranger), unavailable, bad},
		{"the new certificate is after four of other CAs", rekeyed, issuers(stranger, stranger, s.root, s.root, renewed), good, nil},
	})
	t.Run("the old list is still good after the change", func(t *testing.T) {
		o := at(now)
		o.CRLIssuers = []*x509.Certificate{nil, renewed.cert}
		result, err := bothWays(t)(encode(t, s.list()), s.client.cert, s.ca.cert, o)
		expect(t, result, err, evidence.Good, nil)
	})
	for name, c := range map[string]struct {
		usage x509.KeyUsage
		ok    bool
	}{"case 74 without cRLSign": {x509.KeyUsageCertSign, false}, "with cRLSign alone": {x509.KeyUsageCRLSign, true}, "without key usage": {0, true}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.ca = makeCert(t, "Clients CA", newKey(t), s.root, asCA, keyUsage(c.usage), func(x *x509.Certificate) { x.IsCA = c.usage != x509.KeyUsageCRLSign })
			s.client = makeCert(t, "client", newKey(t), s.ca, asClient)
			result, err := bothWays(t)(encode(t, s.list()), s.client.cert, s.ca.cert, at(now))
			if c.ok {
				expect(t, result, err, evidence.Good, nil)
			} else {
				expect(t, result, err, evidence.Unavailable, evidence.ErrCRLIssuer)
			}
		})
	}
}

// Rule C3 again: the algorithms of check 6, for lists.
func TestVerifyCRL_Algorithms(t *testing.T) {
	sha1 := func(o *evidence.VerifyOptions) { o.AllowSHA1 = true }
	for _, c := range []struct {
		name      string
		bits      int
		algorithm ocsptest.Algorithm
		terms     func(*evidence.VerifyOptions)
		ok        bool
	}{
		{"SHA-256", 2048, ocsptest.RSA(crypto.SHA256), nil, true},
		{"PSS", 2048, ocsptest.PSS(crypto.SHA256, crypto.SHA256, 32), nil, true},
		{"SHA-1", 2048, ocsptest.RSA(crypto.SHA1), nil, false},
		{"SHA-1, allowed", 2048, ocsptest.RSA(crypto.SHA1), sha1, true},
		{"MD5, SHA-1 allowed", 2048, ocsptest.RSA(crypto.MD5), sha1, false},
		{"RSA of 1024 bits", 1024, ocsptest.RSA(crypto.SHA256), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sceneWithCAKey(t, rsaKey(t, c.bits))
			l := s.list()
			l.Algorithm = c.algorithm
			o := at(now)
			if c.terms != nil {
				c.terms(&o)
			}
			result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, o)
			if c.ok {
				expect(t, result, err, evidence.Good, nil)
			} else {
				expect(t, result, err, evidence.Unavailable, evidence.ErrWeakAlgorithm)
			}
		})
	}
}

// Cases 82 and 85 (a delta as base), rules C5 and C7: extensions.
func TestVerifyCRL_Extensions(t *testing.T) {
	s := newScene(t)
	foreign := func(n int, critical bool) ocsptest.Extension {
		return ocsptest.Extension{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, n}, Critical: critical, Value: []byte{5, 0}}
	}
	of := func(list ...ocsptest.Extension) []byte {
		return changed(t, s.list(), func(l *ocsptest.List) { l.Extensions = append(l.Extensions, list...) })
	}
	only := func(list ...ocsptest.Extension) []byte {
		return changed(t, s.list(), func(l *ocsptest.List) { l.Extensions = list })
	}
	entry := func(about *identity, list ...ocsptest.Extension) []byte {
		return changed(t, s.list(), func(l *ocsptest.List) { l.Entries = append(l.Entries, entryFor(about, list...)) })
	}
	third := makeCert(t, "third", newKey(t), s.ca, asClient)
	anotherIssuer := ocsptest.Extension{
		OID: ocsptest.OIDCertificateIssuer, Critical: true, Value: ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.Explicit(4), s.root.cert.RawSubject)),
	}
	many := make([]ocsptest.Extension, 0, 17)
	for n := range 17 {
		many = append(many, foreign(n, false))
	}
	delta := ocsptest.Extension{OID: ocsptest.OIDDeltaIndicator, Critical: true, Value: ocsptest.Integer(big.NewInt(6))}
	softDelta := delta
	softDelta.Critical = false
	freshest := ocsptest.Extension{OID: ocsptest.OIDFreshestCRL, Value: ocsptest.DistributionPoints(ocsptest.Point(ocsptest.FullName(ocsptest.URI("http://crl.example/d")))).Value}
	number := func(content ...byte) ocsptest.Extension {
		return ocsptest.Extension{OID: ocsptest.OIDCRLNumber, Value: ocsptest.Element(ocsptest.TagInteger, content)}
	}
	date := ocsptest.Extension{OID: ocsptest.OIDInvalidityDate, Value: ocsptest.At(now.Add(-9 * day))}
	const good, revoked, unavailable = evidence.Good, evidence.Revoked, evidence.Unavailable
	critical, malformed := evidence.ErrCriticalExtension, evidence.ErrMalformed
	run(t, bothWays(t), s.client, s.ca, []evidenceCase{
		{"case 82 unknown and critical", of(foreign(1, true)), nil, unavailable, critical},
		{"case 82 unknown and not critical", of(foreign(1, false)), nil, good, nil},
		{"case 82 unknown and critical in the entry of another", entry(third, foreign(1, true)), nil, unavailable, critical},
		{"case 82 unknown and not critical in the entry of another", entry(third, foreign(1, false)), nil, good, nil},
		{"case 82 unknown and critical in our entry", entry(s.client, foreign(1, true)), nil, unavailable, critical},
		{"case 82 unknown and critical, after our entry", changed(t, s.list(), func(l *ocsptest.List) {
			l.Entries = append(l.Entries, entryFor(s.client), entryFor(third, foreign(1, true)))
		}), nil, unavailable, critical},
		{"case 81 certificateIssuer in the entry of another", entry(third, anotherIssuer), nil, unavailable, critical},
		{"case 81 certificateIssuer in our entry", entry(s.client, anotherIssuer), nil, unavailable, critical},
		{"case 82 reason and invalidity date", entry(s.client, ocsptest.ReasonCode(1), date), nil, revoked, nil},
		{"case 82 a freshest CRL", of(freshest), nil, good, nil},
		{"case 82 one twice", of(foreign(1, false), foreign(1, false)), nil, unavailable, evidence.ErrLimits},
		{"case 82 one twice in an entry", entry(third, date, date), nil, unavailable, evidence.ErrLimits},
		{"case 82 sixteen", only(many[:16]...), nil, good, nil},
		{"case 82 seventeen", only(many...), nil, unavailable, evidence.ErrLimits},
		{"case 82 a CRL number of 20 octets", only(number(append([]byte{0x7F}, make([]byte, 19)...)...)), nil, good, nil},
		{"case 82 a CRL number of 21 octets", only(number(append([]byte{0x7F}, make([]byte, 20)...)...)), nil, unavailable, malformed},
		{"case 82 a negative CRL number", only(number(0xFF)), nil, unavailable, malformed},
		{"case 85 a delta is no base", of(delta), nil, unavailable, evidence.ErrCRLScope},
		{"case 85 a delta that is not marked critical", of(softDelta), nil, unavailable, evidence.ErrCRLScope},
		{"case 85 a delta that names our certificate", changed(t, s.list(entryFor(s.client)), func(l *ocsptest.List) {
			l.Extensions = append(l.Extensions, delta)
		}), nil, unavailable, evidence.ErrCRLScope},
	})
}

// Rule C8: the meaning of an entry.
func TestVerifyCRL_Entries(t *testing.T) {
	s := newScene(t)
	list := func(entries ...ocsptest.Entry) []byte { return encode(t, s.list(entries...)) }
	ours := func(reason byte) ocsptest.Entry { return entryFor(s.client, ocsptest.ReasonCode(reason)) }
	serial := func(content ...byte) ocsptest.Entry {
		e := entryFor(s.client)
		e.Serial = ocsptest.Element(ocsptest.TagInteger, content)
		return e
	}
	magnitude := s.client.cert.SerialNumber.Bytes()
	later := ours(1)
	later.RevokedAt = ocsptest.At(now.Add(day))
	const good, revoked, unavailable = evidence.Good, evidence.Revoked, evidence.Unavailable
	for _, c := range []struct {
		name   string
		der    []byte
		status evidence.Status
		err    error
		reason int
	}{
		{"not listed", list(), good, nil, -1},
		{"listed without a reason", list(entryFor(s.client)), revoked, nil, -1},
		{"keyCompromise", list(ours(1)), revoked, nil, 1},
		{"certificateHold", list(ours(6)), revoked, nil, 6},
		{"aACompromise", list(ours(10)), revoked, nil, 10},
		{"revoked from tomorrow", list(later), revoked, nil, 1},
		{"removeFromCRL in a base", list(ours(8)), unavailable, evidence.ErrMalformed, 0},
		{"removeFromCRL for another", list(entryFor(s.root, ocsptest.ReasonCode(8))), unavailable, evidence.ErrMalformed, 0},
		{"twice, hold first", list(ours(6), ours(1)), revoked, nil, 1},
		{"twice, hold last", list(ours(1), ours(6)), revoked, nil, 1},
		{"a reason that is not defined", list(ours(7)), unavailable, evidence.ErrMalformed, 0},
		{"a serial number with a zero octet too many", list(serial(append([]byte{0}, magnitude...)...)), unavailable, evidence.ErrMalformed, 0},
		{"an empty serial number", list(serial()), unavailable, evidence.ErrMalformed, 0},
		{"a negative serial number of another", list(serial(0x80)), good, nil, -1},
		{"our serial number and one more octet", list(serial(append(magnitude[:len(magnitude):len(magnitude)], 0)...)), good, nil, -1},
	} {
		t.Run("rule C8 "+c.name, func(t *testing.T) {
			result, err := bothWays(t)(c.der, s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, c.status, c.err)
			assert.Equal(t, c.reason, result.Reason)
			if c.status == revoked && c.reason != evidence.ReasonCertificateHold {
				assert.True(t, s.client.cert.NotAfter.Equal(result.UsableUntil), "for good")
			}
		})
	}
}

// Rules C2, C7 and C8: the forms of an entry. Nearly all entries have only a non-critical reason
// code, or nothing; these are the others.
func TestVerifyCRL_EntryForms(t *testing.T) {
	s := newScene(t)
	reason := func(critical bool, value ...byte) ocsptest.Extension {
		return ocsptest.Extension{OID: ocsptest.OIDReasonCode, Critical: critical, Value: value}
	}
	date := ocsptest.Extension{OID: ocsptest.OIDInvalidityDate, Value: ocsptest.At(now)}
	falseBoolean, behind := reason(false, 10, 1, 1), reason(false, 10, 1, 1)
	falseBoolean.Boolean, behind.Behind = []byte{1, 1, 0}, []byte{5, 0}
	const good, revoked, unavailable = evidence.Good, evidence.Revoked, evidence.Unavailable
	malformed := evidence.ErrMalformed
	ours := func(extensions ...ocsptest.Extension) ocsptest.Entry { return entryFor(s.client, extensions...) }
	edit := func(change func(*ocsptest.Entry)) ocsptest.Entry {
		e := ours(reason(false, 10, 1, 1))
		change(&e)
		return e
	}
	cases := []evidenceCase{
		{"rule C8 a reason that is critical", encode(t, s.list(ours(reason(true, 10, 1, 6)))), nil, revoked, nil},
		{"rule C8 a reason after a date", encode(t, s.list(ours(date, reason(false, 10, 1, 6)))), nil, revoked, nil},
		{"rule C8 a date alone", encode(t, s.list(ours(date))), nil, revoked, nil},
		{"rule C8 a GeneralizedTime", encode(t, s.list(edit(func(e *ocsptest.Entry) { e.RevokedAt = ocsptest.At(now) }))), nil, revoked, nil},
		{"rule C7 extensions twice", encode(t, s.list(edit(func(e *ocsptest.Entry) {
			e.Behind = ocsptest.Extensions([]ocsptest.Extension{date})
		}))), nil, unavailable, malformed},
		{"rule C7 a reason twice", encode(t, s.list(ours(reason(false, 10, 1, 1), reason(false, 10, 1, 6)))), nil, unavailable, evidence.ErrLimits},
		{"rule C7 FALSE is written out", encode(t, s.list(ours(falseBoolean))), nil, unavailable, malformed},
		{"rule C7 bytes in the extension", encode(t, s.list(ours(behind))), nil, unavailable, malformed},
		{"rule C2 no date", encode(t, s.list(edit(func(e *ocsptest.Entry) { e.RevokedAt = nil }))), nil, unavailable, malformed},
		{"rule C2 a date that is none", encode(t, s.list(edit(func(e *ocsptest.Entry) {
			e.RevokedAt = ocsptest.Element(ocsptest.TagUTCTime, []byte("260230110000Z"))
		}))), nil, unavailable, malformed},
		{"rule C2 an entry that is a SET", replaceEntryTag(t, s, 0x31), nil, unavailable, malformed},
	}
	for name, value := range map[string][]byte{
		"7": {10, 1, 7}, "8": {10, 1, 8}, "11": {10, 1, 11}, "127": {10, 1, 127}, "-128": {10, 1, 0x80}, "-1": {10, 1, 0xFF},
		"1 of two octets": {10, 2, 0, 1}, "256": {10, 2, 1, 0}, "none": {10, 0}, "an INTEGER": {2, 1, 1}, "empty": {}, "1 and more": {10, 1, 1, 0},
	} {
		cases = append(
			cases,
			evidenceCase{"rule C8 the reason is " + name, encode(t, s.list(ours(reason(false, value...)))), nil, unavailable, malformed},
			evidenceCase{"rule C8 the critical reason is " + name, encode(t, s.list(ours(reason(true, value...)))), nil, unavailable, malformed},
			evidenceCase{"rule C8 the reason of another is " + name, encode(t, s.list(entryFor(s.root, date, reason(false, value...)))), nil, unavailable, malformed},
		)
	}
	run(t, bothWays(t), s.client, s.ca, cases)
	for code := range byte(11) {
		if code == 7 || code == 8 {
			continue
		}
		for _, e := range []ocsptest.Entry{ours(reason(false, 10, 1, code)), ours(reason(true, 10, 1, code)), ours(date, reason(false, 10, 1, code))} {
			result, err := bothWays(t)(encode(t, s.list(e)), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, revoked, nil)
			assert.Equal(t, int(code), result.Reason)
			assert.False(t, result.RevokedAt.IsZero())
			result, err = bothWays(t)(encode(t, s.list(e)), s.other.cert, s.ca.cert, at(now))
			expect(t, result, err, revoked, nil)
		}
	}
	result, err := bothWays(t)(encode(t, s.list()), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, good, nil)
}

// replaceEntryTag returns the base list with another tag on its first entry.
func replaceEntryTag(t *testing.T, s *scene, tag byte) []byte {
	t.Helper()
	l := s.list()
	entry := l.Entries[0].DER()
	entry[0] = tag
	l.RawEntries, l.Entries = entry, nil
	return encode(t, l)
}
