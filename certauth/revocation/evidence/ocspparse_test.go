package evidence_test

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// RFC 6960, section 4.2.1: an unreadable answer invalidates the response, even after one that says
// good, because its content is unknown.
func TestVerifyOCSP_EveryAnswerIsReadToTheEnd(t *testing.T) {
	s := newScene(t)
	good := s.answer(s.client, ocsptest.StatusGood)
	id, from := good.ID.DER(), good.ThisUpdate
	element, sequence := ocsptest.Element, func(content ...[]byte) []byte { return ocsptest.Element(ocsptest.TagSequence, content...) }
	hash, octets := good.ID.Hash, func(content []byte) []byte { return ocsptest.Element(ocsptest.TagOctetString, content) }
	serial := ocsptest.Integer(big.NewInt(5))
	reason := func(content ...[]byte) []byte { return element(ocsptest.Explicit(0), content...) }
	revoked := func(content ...[]byte) []byte { return element(ocsptest.Explicit(1), content...) }
	malformed := evidence.ErrMalformed
	for name, tc := range map[string]struct {
		single []byte
		want   error
	}{
		"another good one":                   {s.answer(s.other, ocsptest.StatusGood).DER(), nil},
		"an empty one":                       {sequence(), malformed},
		"a SET":                              {element(0x31, id, ocsptest.StatusGood, from), malformed},
		"no CertID":                          {sequence(ocsptest.StatusGood, from), malformed},
		"an empty CertID":                    {sequence(sequence(), ocsptest.StatusGood, from), malformed},
		"a CertID without a hash":            {sequence(sequence(octets(good.ID.NameHash), octets(good.ID.KeyHash), serial), ocsptest.StatusGood, from), malformed},
		"a CertID with one hash":             {sequence(sequence(hash, octets(good.ID.NameHash), serial), ocsptest.StatusGood, from), malformed},
		"a CertID without a serial":          {sequence(sequence(hash, octets(good.ID.NameHash), octets(good.ID.KeyHash)), ocsptest.StatusGood, from), malformed},
		"a CertID with a number for a hash":  {sequence(sequence(hash, serial, octets(good.ID.KeyHash), serial), ocsptest.StatusGood, from), malformed},
		"a serial that is not minimal":       {sequence(sequence(hash, octets(good.ID.NameHash), octets(good.ID.KeyHash), []byte{2, 2, 0, 5}), ocsptest.StatusGood, from), malformed},
		"bytes after the serial":             {sequence(sequence(hash, octets(good.ID.NameHash), octets(good.ID.KeyHash), serial, []byte{5, 0}), ocsptest.StatusGood, from), malformed},
		"no status":                          {sequence(id), malformed},
		"a status that is cut off":           {sequence(id, []byte{0x80}), malformed},
		"a status of the tag 3":              {sequence(id, []byte{0x83, 0}, from), malformed},
		"good, and something in it":          {sequence(id, []byte{0x80, 1, 0}, from), malformed},
		"unknown, and something in it":       {sequence(id, []byte{0x82, 1, 0}, from), malformed},
		"good, constructed":                  {sequence(id, []byte{0xA0, 0}, from), malformed},
		"revoked, primitive":                 {sequence(id, []byte{0x81, 0}, from), malformed},
		"revoked without a date":             {sequence(id, revoked(), from), malformed},
		"revoked, a reason that is cut off":  {sequence(id, revoked(from, []byte{0xA0, 3, 10}), from), malformed},
		"revoked, an empty reason":           {sequence(id, revoked(from, reason()), from), malformed},
		"revoked, two reasons":               {sequence(id, revoked(from, reason([]byte{10, 1, 1}, []byte{10, 1, 1})), from), malformed},
		"revoked, a reason that is a number": {sequence(id, revoked(from, reason([]byte{2, 1, 1})), from), malformed},
		"revoked, bytes after the reason":    {sequence(id, revoked(from, reason([]byte{10, 1, 1}), []byte{5, 0}), from), malformed},
		"no thisUpdate":                      {sequence(id, ocsptest.StatusGood), malformed},
		"thisUpdate as UTCTime":              {sequence(id, ocsptest.StatusGood, ocsptest.UTCAt(now)), malformed},
		"a nextUpdate that is cut off":       {sequence(id, ocsptest.StatusGood, from, []byte{0xA0, 5, 0x18}), malformed},
		"an empty nextUpdate":                {sequence(id, ocsptest.StatusGood, from, reason()), malformed},
		"two nextUpdates":                    {sequence(id, ocsptest.StatusGood, from, reason(from, from)), malformed},
		"nextUpdate as UTCTime":              {sequence(id, ocsptest.StatusGood, from, reason(ocsptest.UTCAt(now))), malformed},
		"extensions that are cut off":        {sequence(id, ocsptest.StatusGood, from, []byte{0xA1, 5, 0x30}), malformed},
		"empty extensions":                   {sequence(id, ocsptest.StatusGood, from, revoked(sequence())), malformed},
		"trailing bytes":                     {sequence(id, ocsptest.StatusGood, from, []byte{5, 0}), malformed},
		"one that is cut off":                {[]byte{0x30, 5, 1}, malformed},
	} {
		t.Run(name, func(t *testing.T) {
			for _, answers := range [][]byte{append(good.DER(), tc.single...), append(bytes.Clone(tc.single), good.DER()...)} {
				r := s.good()
				r.TBS = sequence(r.Responder, r.ProducedAt, sequence(answers))
				result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
				expectGoodUnless(t, result, err, tc.want)
			}
		})
	}
}

// The same for the data around the answers.
func TestVerifyOCSP_ResponseDataIsReadToTheEnd(t *testing.T) {
	s := newScene(t)
	r := s.good()
	element, sequence := ocsptest.Element, func(content ...[]byte) []byte { return ocsptest.Element(ocsptest.TagSequence, content...) }
	answers, produced, name := sequence(r.Answers[0].DER()), r.ProducedAt, r.Responder
	key := ocsptest.ByKey(s.ca.cert)
	malformed := evidence.ErrMalformed
	for label, tc := range map[string]struct {
		parts [][]byte
		want  error
	}{
		"by name":                           {[][]byte{name, produced, answers}, nil},
		"by key":                            {[][]byte{key, produced, answers}, nil},
		"nothing":                           {nil, malformed},
		"a version that is cut off":         {[][]byte{{0xA0, 5}}, malformed},
		"an empty version":                  {[][]byte{{0xA0, 0}, name, produced, answers}, malformed},
		"no responder":                      {[][]byte{produced, answers}, malformed},
		"a responder of the tag 3":          {[][]byte{element(ocsptest.Explicit(3), s.ca.cert.RawSubject), produced, answers}, malformed},
		"a responder of the tag 3, empty":   {[][]byte{{0xA3, 0}, produced, answers}, malformed},
		"a responder's name that is NULL":   {[][]byte{element(ocsptest.Explicit(1), []byte{5, 0}), produced, answers}, malformed},
		"no responder's name":               {[][]byte{element(ocsptest.Explicit(1)), produced, answers}, malformed},
		"bytes after the responder's name":  {[][]byte{element(ocsptest.Explicit(1), s.ca.cert.RawSubject, []byte{5, 0}), produced, answers}, malformed},
		"a responder's key that is NULL":    {[][]byte{element(ocsptest.Explicit(2), []byte{5, 0}), produced, answers}, malformed},
		"no responder's key":                {[][]byte{element(ocsptest.Explicit(2)), produced, answers}, malformed},
		"bytes after the responder's key":   {[][]byte{append(append([]byte{}, 0xA2, key[1]+2), append(key[2:len(key):len(key)], 5, 0)...), produced, answers}, malformed},
		"a responder's key that is cut off": {[][]byte{key[:8]}, malformed},
		"no producedAt":                     {[][]byte{name, answers}, malformed},
		"no answers":                        {[][]byte{name, produced}, malformed},
		"answers that are a SET":            {[][]byte{name, produced, append([]byte{0x31}, answers[1:]...)}, malformed},
		"answers that are cut off":          {[][]byte{name, produced, answers[:9]}, malformed},
		"extensions that are cut off":       {[][]byte{name, produced, answers, {0xA1, 5}}, malformed},
		"extensions of another tag":         {[][]byte{name, produced, answers, {0xA2, 0}}, malformed},
		// finding K111: SK of Estonia answers so (bcgit/bc-java issue 1617), and an empty list says nothing
		"empty extensions":                   {[][]byte{name, produced, answers, {0xA1, 2, 0x30, 0}}, nil},
		"empty extensions of a longer form":  {[][]byte{name, produced, answers, {0xA1, 3, 0x30, 0x81, 0}}, malformed},
		"bytes after empty extensions":       {[][]byte{name, produced, answers, {0xA1, 2, 0x30, 0, 5, 0}}, malformed},
		"empty extensions twice":             {[][]byte{name, produced, answers, {0xA1, 2, 0x30, 0, 0xA1, 2, 0x30, 0}}, malformed},
		"trailing bytes":                     {[][]byte{name, produced, answers, {5, 0}}, malformed},
		"a list of answers that has nothing": {[][]byte{name, produced, sequence()}, evidence.ErrNoMatch},
	} {
		t.Run(label, func(t *testing.T) {
			r := s.good()
			r.TBS = sequence(tc.parts...)
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			expectGoodUnless(t, result, err, tc.want)
		})
	}
}

// Embedded certificates are not signed, but are still read to the end.
func TestVerifyOCSP_EmbeddedCertificatesAreReadToTheEnd(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t)
	for name, tc := range map[string]struct {
		certificates [][]byte
		behind       map[ocsptest.Place][]byte
		want         error
	}{
		"the delegate":             {[][]byte{d.cert.Raw}, nil, nil},
		"something else after it":  {[][]byte{d.cert.Raw, {5, 0}}, nil, evidence.ErrMalformed},
		"something else before it": {[][]byte{{5, 0}, d.cert.Raw}, nil, evidence.ErrMalformed},
		"half a certificate after": {[][]byte{d.cert.Raw, d.cert.Raw[:100]}, nil, evidence.ErrMalformed},
		"certificates cut off":     {nil, map[ocsptest.Place][]byte{ocsptest.InBasic: {0xA0, 5}}, evidence.ErrMalformed},
	} {
		r := s.by(d)
		r.Certificates, r.Behind = tc.certificates, tc.behind
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		if tc.want != nil {
			require.ErrorIs(t, err, tc.want, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, evidence.Good, result.Status, name)
	}
}

// A response has at most 64 KiB.
func TestVerifyOCSP_LargestResponse(t *testing.T) {
	s := newScene(t)
	sized := func(size int) []byte {
		for filler := size - 500; ; {
			r := s.good()
			r.Extensions = []ocsptest.Extension{{OID: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, filler)}}
			der := encode(t, r)
			if len(der) == size {
				return der
			}
			if off := size - len(der); off > 2 || off < -2 { // a smaller difference is caused by the signature
				filler += off
			}
		}
	}
	result, err := evidence.VerifyOCSP(sized(64<<10), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
	result, err = evidence.VerifyOCSP(sized(64<<10+1), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrLimits)
}

// A certificate that was constructed by hand, and whose serial number or key cannot be read from
// its DER, is refused as what it is, and not as a certificate without an answer.
func TestVerifyOCSP_CertificatesWithoutSerialOrKeyAreRefused(t *testing.T) {
	s := newScene(t)
	der := encode(t, s.good())
	client, ca := *s.client.cert, *s.ca.cert
	client.Raw = []byte{0x30, 0}
	result, err := evidence.VerifyOCSP(der, &client, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrArgument)
	result, err = evidence.VerifyCRL(encode(t, s.list()), &client, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrArgument)
	_, err = parse(t, s.ca, encode(t, s.list())).Lookup(&client, at(now))
	require.ErrorIs(t, err, evidence.ErrArgument)
	ca.RawSubjectPublicKeyInfo = []byte{0x30, 0}
	result, err = evidence.VerifyOCSP(der, s.client.cert, &ca, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrWeakAlgorithm)
}

// Evidence expires at the earliest of its limits: a delegate that is valid longer than its answer
// does not extend it, and one that expires earlier shortens it.
func TestVerifyOCSP_UsableUntilTheFirstEnd(t *testing.T) {
	s := newScene(t)
	long := s.delegate(t)
	short := s.delegate(t, valid(now.Add(-day), now.Add(time.Hour)))
	r := s.by(long)
	next := now.Add(6 * time.Hour)
	r.Answers[0].NextUpdate = ocsptest.At(next)
	result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
	assert.True(t, next.Equal(result.UsableUntil), "%v", result.UsableUntil)
	r = s.by(short)
	r.Answers[0].NextUpdate = ocsptest.At(next)
	result, err = evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
	assert.True(t, now.Add(time.Hour).Equal(result.UsableUntil), "%v", result.UsableUntil)

	// The doc of VerifyOptions: a negative age is no limit. MaxAge remains.
	r = s.good()
	r.Answers[0].NextUpdate = nil
	o := at(now)
	o.NoNextUpdateMaxAge = -1
	result, err = evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Good, nil)
	assert.True(t, result.ThisUpdate.Add(evidence.DefaultMaxAge).Equal(result.UsableUntil), "%v", result.UsableUntil)
}

// The doc of MinRSABits: 2048 by default.
func TestVerifyOCSP_DefaultOfTheSmallestKey(t *testing.T) {
	for bits, want := range map[int]evidence.Status{2047: evidence.Unavailable, 2048: evidence.Good} {
		for _, least := range []int{0, -1} {
			s := sceneWithCAKey(t, rsaKey(t, bits))
			o := at(now)
			o.MinRSABits = least
			result, err := evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, s.ca.cert, o)
			expect(t, result, err, want, evidence.ErrWeakAlgorithm)
		}
	}
	s := sceneWithCAKey(t, rsaKey(t, 1024))
	o := at(now)
	o.MinRSABits = 1 // accepts signers whose key can be broken
	result, err := evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Good, nil)
}
