package evidence_test

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// Cases 20 to 27: which answer concerns our certificate.
func TestVerifyOCSP_CertID(t *testing.T) {
	s := newScene(t)
	sibling := makeCert(t, "Other CA", newKey(t), s.root, asCA)
	serial := s.client.cert.SerialNumber
	id := func(change func(*ocsptest.CertID)) []byte {
		r := s.good()
		change(&r.Answers[0].ID)
		return encode(t, r)
	}
	answers := func(list ...ocsptest.Answer) []byte {
		r := s.good()
		r.Answers = list
		return encode(t, r)
	}
	another := ocsptest.IDOf(crypto.SHA1, sibling.cert, serial)
	many := make([]ocsptest.Answer, 0, 65)
	for range 65 {
		many = append(many, s.answer(s.other, ocsptest.StatusGood))
	}
	many[63] = s.answer(s.client, ocsptest.StatusGood)
	const good, unavailable = evidence.Good, evidence.Unavailable
	none := evidence.ErrNoMatch
	identifier := func(oid asn1.ObjectIdentifier, parameters []byte) func(*ocsptest.CertID) {
		return func(i *ocsptest.CertID) { i.Hash = ocsptest.Identifier(oid, parameters) }
	}
	sha1OID := asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"case 20 another serial number", id(func(i *ocsptest.CertID) { i.Serial = ocsptest.Integer(s.other.cert.SerialNumber) }), nil, unavailable, none},
		{"case 20 the serial number and one more byte", id(func(i *ocsptest.CertID) {
			i.Serial = ocsptest.Integer(new(big.Int).Lsh(serial, 8))
		}), nil, unavailable, none},
		{"case 21 another issuer's name hash", id(func(i *ocsptest.CertID) { i.NameHash = another.NameHash }), nil, unavailable, none},
		{"case 21 a name hash that is cut", id(func(i *ocsptest.CertID) { i.NameHash = i.NameHash[:19] }), nil, unavailable, none},
		{"case 21 an empty name hash", id(func(i *ocsptest.CertID) { i.NameHash = nil }), nil, unavailable, none},
		{"case 22 another issuer's key hash", id(func(i *ocsptest.CertID) { i.KeyHash = another.KeyHash }), nil, unavailable, none},
		{"case 22 an empty key hash", id(func(i *ocsptest.CertID) { i.KeyHash = nil }), nil, unavailable, none},
		{"case 22 name and key hash swapped", id(func(i *ocsptest.CertID) { i.NameHash, i.KeyHash = i.KeyHash, i.NameHash }), nil, unavailable, none},
		{"case 23 the same serial number of another CA", id(func(i *ocsptest.CertID) { *i = another }), nil, unavailable, none},
		{"case 24 a hash that is not known", id(identifier(asn1.ObjectIdentifier{1, 2, 3, 4}, []byte{5, 0})), nil, unavailable, none},
		{"case 24 MD5", id(func(i *ocsptest.CertID) { *i = ocsptest.IDOf(crypto.MD5, s.ca.cert, serial) }), nil, unavailable, none},
		{"case 24 SHA-256 named over SHA-1 hashes", id(func(i *ocsptest.CertID) { i.Hash = ocsptest.HashIdentifier(crypto.SHA256) }), nil, unavailable, none},
		{"case 24 SHA-1 without parameters", id(identifier(sha1OID, nil)), nil, good, nil},
		{"case 24 SHA-1 with odd parameters", id(identifier(sha1OID, []byte{4, 0})), nil, unavailable, none},
		{"case 25 SHA-256", id(func(i *ocsptest.CertID) { *i = ocsptest.IDOf(crypto.SHA256, s.ca.cert, serial) }), nil, good, nil},
		{"case 25 SHA-384", id(func(i *ocsptest.CertID) { *i = ocsptest.IDOf(crypto.SHA384, s.ca.cert, serial) }), nil, good, nil},
		{"case 25 SHA-512", id(func(i *ocsptest.CertID) { *i = ocsptest.IDOf(crypto.SHA512, s.ca.cert, serial) }), nil, good, nil},
		{"case 26 answers for others stand around", answers(s.answer(s.other, ocsptest.StatusUnknown), s.answer(s.client, ocsptest.StatusGood),
			s.answer(s.other, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1))), nil, good, nil},
		{"case 26 sixty-four answers", answers(many[:64]...), nil, good, nil},
		{"case 26 sixty-five answers", answers(many...), nil, unavailable, evidence.ErrLimits},
		{"case 27 no answers", answers(), nil, unavailable, none},
	})
}

// Only under GODEBUG=fips140=only (.github/FIPS.md) the reason is that SHA-1 is not available.
func TestVerifyOCSP_MismatchIsNotExplainedBySHA1(t *testing.T) {
	s := newScene(t)
	another, stranger := s.good(), s.good()
	another.Answers = []ocsptest.Answer{s.answer(s.other, ocsptest.StatusGood)}
	stranger.Responder = ocsptest.ByKey(s.other.cert)
	for _, c := range []struct {
		name string
		r    ocsptest.Response
		err  error
	}{
		{"case 20 an answer about another serial number, whose CertID uses SHA-1", another, evidence.ErrNoMatch},
		{"case 15 the responder is named by another's key", stranger, evidence.ErrNoSigner},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := evidence.VerifyOCSP(encode(t, c.r), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Unavailable, c.err)
			assert.NotErrorIs(t, err, sha1sum.ErrUnavailable)
		})
	}
}

// Check 18: every reason denies, and so does a revocation in the future.
func TestVerifyOCSP_EveryReasonDenies(t *testing.T) {
	s := newScene(t)
	for reason := -1; reason <= 11; reason++ {
		for _, when := range []time.Time{now.Add(-day), now.Add(day)} {
			r := s.good()
			r.Answers[0].Status = ocsptest.StatusRevoked(ocsptest.At(when), reason)
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			require.NoError(t, err, "reason %d", reason)
			assert.Equal(t, evidence.Revoked, result.Status, "reason %d", reason)
			assert.Equal(t, reason, result.Reason)
			assert.True(t, when.Equal(result.RevokedAt))
			until := s.client.cert.NotAfter
			if reason == evidence.ReasonCertificateHold {
				until = now.Add(23 * time.Hour) // nextUpdate
			}
			assert.True(t, until.Equal(result.UsableUntil), "reason %d", reason)
		}
	}
}

// Section 9, as far as a pure function shows it: which limit of an answer is reached first.
func TestVerifyOCSP_UsableUntil(t *testing.T) {
	s := newScene(t)
	short := newScene(t, valid(now.Add(-day), now.Add(time.Hour)))
	d := s.delegate(t, valid(now.Add(-day), now.Add(2*time.Hour)))
	old, without := s.good(), s.good()
	old.Answers[0].ThisUpdate = ocsptest.At(now.Add(-9 * day))
	old.Answers[0].NextUpdate = ocsptest.At(now.Add(100 * day))
	without.Answers[0].NextUpdate = nil
	without.Answers[0].ThisUpdate = ocsptest.At(now.Add(-40 * time.Minute))
	for _, c := range []struct {
		name string
		s    *scene
		r    ocsptest.Response
		want time.Time
	}{
		{"nextUpdate", s, s.good(), now.Add(23 * time.Hour)},
		{"the certificate's own end", short, short.good(), now.Add(time.Hour)},
		{"the delegate's end", s, s.by(d), now.Add(2 * time.Hour)},
		{"MaxAge", s, old, now.Add(day)},
		{"an hour without nextUpdate", s, without, now.Add(20 * time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := evidence.VerifyOCSP(encode(t, c.r), c.s.client.cert, c.s.ca.cert, at(now))
			expect(t, result, err, evidence.Good, nil)
			assert.True(t, c.want.Equal(result.UsableUntil), "%s", result.UsableUntil)
		})
	}
}

// Case 30: serial numbers are compared in their encoded form.
func TestVerifyOCSP_SerialNumbers(t *testing.T) {
	s := newScene(t)
	long := makeCert(t, "long", newKey(t), s.ca, func(c *x509.Certificate) {
		c.SerialNumber = new(big.Int).SetBytes(append([]byte{0x7F}, make([]byte, 19)...))
	})
	high := makeCert(t, "high bit", newKey(t), s.ca, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x80) })
	longest := makeCert(t, "over 20 octets", newKey(t), s.ca, func(c *x509.Certificate) {
		c.SerialNumber = new(big.Int).SetBytes(append([]byte{0x7F}, make([]byte, 20)...))
	})
	integer := func(content ...byte) []byte { return ocsptest.Element(ocsptest.TagInteger, content) }
	serial := func(of *identity) []byte { return of.cert.SerialNumber.Bytes() }
	const good, unavailable = evidence.Good, evidence.Unavailable
	for _, c := range []struct {
		name   string
		of     *identity
		serial []byte
		status evidence.Status
		err    error
	}{
		{"as it is", s.client, integer(serial(s.client)...), good, nil},
		{"a zero octet too many", s.client, integer(append([]byte{0}, serial(s.client)...)...), unavailable, evidence.ErrMalformed},
		{"no octets", s.client, integer(), unavailable, evidence.ErrMalformed},
		{"128, with the zero octet it needs", high, integer(0, 0x80), good, nil},
		{"minus 128, which has the same magnitude", high, integer(0x80), unavailable, evidence.ErrNoMatch},
		{"minus 128, not minimally", high, integer(0xFF, 0x80), unavailable, evidence.ErrMalformed},
		{"20 octets", long, integer(serial(long)...), good, nil},
		{"over 20 octets and equal", longest, integer(serial(longest)...), good, nil},
		{"over 20 octets and not equal", longest, integer(append(serial(longest)[:20:20], 1)...), unavailable, evidence.ErrNoMatch},
	} {
		t.Run("case 30 "+c.name, func(t *testing.T) {
			r := s.good()
			r.Answers[0].ID.Serial = c.serial
			result, err := evidence.VerifyOCSP(encode(t, r), c.of.cert, s.ca.cert, at(now))
			expect(t, result, err, c.status, c.err)
		})
	}
	t.Run("case 30 a bad serial number in the answer for another", func(t *testing.T) {
		r := s.good()
		a := s.answer(s.other, ocsptest.StatusGood)
		a.ID.Serial = integer(0, 1)
		r.Answers = append(r.Answers, a)
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, unavailable, evidence.ErrMalformed)
	})
}
