package evidence_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// delta returns a delta CRL that continues the lists from number from on. The base list of a scene
// has number 7.
func (s *scene) delta(from, number int64, entries ...ocsptest.Entry) ocsptest.List {
	l := s.list()
	l.Entries = entries
	l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(now.Add(-30*time.Minute)), ocsptest.UTCAt(now.Add(6*time.Hour))
	l.Extensions = []ocsptest.Extension{
		ocsptest.AuthorityKeyID(s.ca.cert.SubjectKeyId), ocsptest.CRLNumber(number), ocsptest.DeltaIndicator(from),
	}
	return l
}

func withDelta(t testing.TB, list *evidence.CRL, s *scene, delta ocsptest.List) *evidence.CRL {
	t.Helper()
	merged, err := list.WithDelta(encode(t, delta), s.ca.cert, at(now))
	require.NoError(t, err)
	return merged
}

var hold, compromise, remove = ocsptest.ReasonCode(6), ocsptest.ReasonCode(1), ocsptest.ReasonCode(8)

// Case 85, rule C10: the combined statement of list and delta.
func TestCRL_WithDelta_Entries(t *testing.T) {
	s := newScene(t)
	client := subjectOf(t, s.client)
	type reasons []ocsptest.Extension
	for _, c := range []struct {
		name        string
		base, delta reasons
		want        string
	}{
		{"neither lists it", nil, nil, saysGood},
		{"the list alone", reasons{compromise}, nil, saysRevoked},
		{"the list alone, on hold", reasons{hold}, nil, saysHeld},
		{"the delta alone", nil, reasons{compromise}, saysRevoked},
		{"the delta alone, on hold", nil, reasons{hold}, saysHeld},
		{"the delta makes a hold a revocation", reasons{hold}, reasons{compromise}, saysRevoked},
		{"the delta does not make a revocation a hold", reasons{compromise}, reasons{hold}, saysRevoked},
		{"the delta repeats a hold", reasons{hold}, reasons{hold}, saysHeld},
		{"the delta lifts a hold", reasons{hold}, reasons{remove}, saysGood},
		{"the delta lifts a hold that stands twice", reasons{hold, hold}, reasons{remove}, saysGood},
		{"the delta never lifts a revocation", reasons{compromise}, reasons{remove}, saysRevoked},
		{"nor one that stands beside a hold", reasons{hold, compromise}, reasons{remove}, saysRevoked},
		{"the delta lifts what was held and lifted between the two", nil, reasons{remove}, saysGood},
		{"twice in the delta, lifted and on hold", reasons{hold}, reasons{remove, hold}, saysHeld},
		{"twice in the delta, on hold and lifted", reasons{hold}, reasons{hold, remove}, saysHeld},
		{"twice in the delta, lifted and revoked", reasons{hold}, reasons{remove, compromise}, saysRevoked},
		{"twice in the delta, revoked and lifted", nil, reasons{compromise, remove}, saysRevoked},
	} {
		for _, serial := range [][]byte{bytes.Repeat([]byte{0x42}, 16), {5}, bytes.Repeat([]byte{0x42}, 30), {0x80}} {
			t.Run(fmt.Sprintf("case 85 %s, %d octets", c.name, len(serial)), func(t *testing.T) {
				l, d := s.list(), s.delta(7, 8, entryOf([]byte{0x66}, remove))
				for _, reason := range c.base {
					l.Entries = append(l.Entries, entryOf(serial, reason))
				}
				for _, reason := range c.delta {
					d.Entries = append(d.Entries, entryOf(serial, reason), entryOf([]byte{0x66}, remove))
				}
				base := parse(t, s.ca, encode(t, l))
				before := listSays(t, base, client, serial)
				merged := withDelta(t, base, s, d)
				assert.Equal(t, c.want, listSays(t, merged, client, serial))
				assert.Equal(t, saysGood, listSays(t, merged, client, []byte{0x66}))
				assert.Equal(t, before, listSays(t, base, client, serial), "the list stays as it is")
				assert.Equal(t, base.Entries()+len(d.Entries), merged.Entries())
			})
		}
	}
}

// Case 85: hold, remove, hold, by one delta after another on the same list.
func TestCRL_WithDelta_HoldRemoveHold(t *testing.T) {
	s := newScene(t)
	base := parse(t, s.ca, encode(t, s.list(entryFor(s.client, hold))))
	o := at(now)
	list := base
	for _, step := range []struct {
		name   string
		delta  *ocsptest.Extension
		status evidence.Status
	}{
		{"case 85 on hold", nil, evidence.Revoked},
		{"case 85 removed", &remove, evidence.Good},
		{"case 85 on hold again", &hold, evidence.Revoked},
		{"case 85 removed again", &remove, evidence.Good},
		{"case 85 revoked for good", &compromise, evidence.Revoked},
	} {
		t.Run(step.name, func(t *testing.T) {
			if step.delta != nil {
				next := new(big.Int).Add(list.Number(), big.NewInt(1)).Int64()
				list = withDelta(t, list, s, s.delta(7, next, entryFor(s.client, *step.delta)))
			}
			result, err := list.Lookup(s.client.cert, o)
			expect(t, result, err, step.status, nil)
			assert.False(t, result.DeltaMissing)
			assert.Equal(t, list.Number(), result.CRLNumber)
			o.Previous = &result // the previous result binds the next one
		})
	}
	list = withDelta(t, list, s, s.delta(7, 100, entryFor(s.client, remove)))
	result, err := list.Lookup(s.client.cert, o)
	expect(t, result, err, evidence.Revoked, nil)
	assert.Equal(t, *o.Previous, result, "removed because it has expired: a known permanent revocation stays")
	result, err = base.Lookup(s.client.cert, at(now))
	expect(t, result, err, evidence.Revoked, nil)
	assert.Equal(t, evidence.ReasonCertificateHold, result.Reason, "the list itself never changed")
}

// Case 85, rule C10: which delta continues which list.
func TestCRL_WithDelta_Match(t *testing.T) {
	s := newScene(t, point(uri(shardA)))
	renewed := makeCert(t, "Clients CA", newKey(t), s.root, asCA) // the same name, the next key
	another := makeCert(t, "Other CA", newKey(t), s.root, asCA)
	type edit = func(*ocsptest.List)
	extensions := func(list ...ocsptest.Extension) edit { return func(l *ocsptest.List) { l.Extensions = list } }
	more := func(list ...ocsptest.Extension) edit {
		return func(l *ocsptest.List) { l.Extensions = append(l.Extensions, list...) }
	}
	signed := func(by *identity) edit { return func(l *ocsptest.List) { l.Key = by.key } }
	named := func(by *identity) edit { return func(l *ocsptest.List) { l.Issuer = by.cert.RawSubject } }
	both := func(edits ...edit) edit {
		return func(l *ocsptest.List) {
			for _, e := range edits {
				e(l)
			}
		}
	}
	keyID := func(of *identity) ocsptest.Extension { return ocsptest.AuthorityKeyID(of.cert.SubjectKeyId) }
	serialOfIssuer := ocsptest.Extension{OID: ocsptest.OIDAuthorityKeyID, Value: ocsptest.Element(ocsptest.TagSequence,
		ocsptest.Element(ocsptest.Context(0), s.ca.cert.SubjectKeyId), ocsptest.Element(ocsptest.Explicit(1)), ocsptest.Element(ocsptest.Context(2), []byte{1}))}
	numbers := func(from, number int64) []ocsptest.Extension {
		return []ocsptest.Extension{ocsptest.CRLNumber(number), ocsptest.DeltaIndicator(from)}
	}
	indicator := func(critical bool, value []byte) ocsptest.Extension {
		return ocsptest.Extension{OID: ocsptest.OIDDeltaIndicator, Critical: critical, Value: value}
	}
	foreign := ocsptest.Extension{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}
	freshest := ocsptest.FreshestCRL(ocsptest.Point(uri("http://crl.example/d")))
	certificateIssuer := ocsptest.Extension{
		OID: ocsptest.OIDCertificateIssuer, Critical: true, Value: ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.Explicit(4), s.root.cert.RawSubject)),
	}
	shard := func(name string) ocsptest.Extension { return ocsptest.IssuingPoint(uri(name)) }
	issuers := func(o *evidence.VerifyOptions) { o.CRLIssuers = []*x509.Certificate{renewed.cert} }
	forged := func(l *ocsptest.List) {
		l.Forge = func(tbs []byte) []byte {
			out := bytes.Clone(tbs)
			out[len(out)-1] ^= 1 // the BaseCRLNumber
			return out
		}
	}
	none := func(*ocsptest.List) {}
	mismatch, malformed := evidence.ErrDeltaMismatch, evidence.ErrMalformed
	for _, c := range []struct {
		name        string
		base, delta edit
		from, to    int64 // of the delta
		terms       func(*evidence.VerifyOptions)
		err         error
	}{
		{"case 85 it continues this list", none, none, 7, 8, nil, nil},
		{"case 85 it continues an earlier list", none, none, 1, 8, nil, nil},
		{"case 85 numbers were left out", none, none, 7, 80, nil, nil},
		{"case 85 numbers of two octets", extensions(keyID(s.ca), ocsptest.CRLNumber(0x7FFF)), none, 0x7F, 0x8000, nil, nil},
		{"case 85 a gap of one", none, none, 8, 9, nil, mismatch},
		{"case 85 a gap", none, none, 70, 71, nil, mismatch},
		{"case 85 the number of the list", none, none, 7, 7, nil, mismatch},
		{"case 85 the number of the list is rollback", none, none, 6, 7, nil, evidence.ErrRollback},
		{"case 85 older than the list", none, none, 5, 6, nil, evidence.ErrRollback},
		{"case 85 older than the list, by class", none, none, 5, 6, nil, mismatch},
		{"case 85 the list has no number", extensions(keyID(s.ca)), none, 1, 8, nil, mismatch},
		{"case 85 a complete list is no delta", none, extensions(keyID(s.ca), ocsptest.CRLNumber(8)), 0, 0, nil, mismatch},
		{"case 85 a complete list without a number is no delta", none, extensions(keyID(s.ca)), 0, 0, nil, mismatch},
		{"case 85 the indicator is not critical", none, extensions(keyID(s.ca), ocsptest.CRLNumber(8), indicator(false, []byte{2, 1, 7})), 0, 0, nil, malformed},
		{"case 85 the indicator is no number", none, extensions(keyID(s.ca), ocsptest.CRLNumber(8), indicator(true, []byte{5, 0})), 0, 0, nil, malformed},
		{"case 85 the indicator is negative", none, extensions(keyID(s.ca), ocsptest.CRLNumber(8), indicator(true, []byte{2, 1, 0xFF})), 0, 0, nil, malformed},
		{"case 85 bytes after the indicator", none, extensions(keyID(s.ca), ocsptest.CRLNumber(8), indicator(true, []byte{2, 1, 7, 0})), 0, 0, nil, malformed},
		{"case 85 two indicators", none, more(ocsptest.DeltaIndicator(1)), 7, 8, nil, evidence.ErrLimits},
		{"case 85 the delta has no number", none, extensions(keyID(s.ca), ocsptest.DeltaIndicator(7)), 0, 0, nil, malformed},
		{"case 85 the delta names a freshest CRL", none, more(freshest), 7, 8, nil, malformed},
		{"case 85 the list names a freshest CRL", more(freshest), none, 7, 8, nil, nil},
		{"case 85 both are of the same shard", more(shard(shardA)), more(shard(shardA)), 7, 8, nil, nil},
		{"case 76 of another shard", more(shard(shardA)), more(shard(shardB)), 7, 8, nil, mismatch},
		{"case 76 of a shard, the list is whole", none, more(shard(shardA)), 7, 8, nil, mismatch},
		{"case 76 whole, the list is a shard", more(shard(shardA)), none, 7, 8, nil, mismatch},
		{"case 79 of users alone", more(shard(shardA)), more(ocsptest.IssuingPoint(uri(shardA), ocsptest.Flag(1))), 7, 8, nil, mismatch},
		{"case 80 indirect", none, more(ocsptest.IssuingPoint(ocsptest.Flag(4))), 7, 8, nil, evidence.ErrIndirectCRL},
		{"case 81 an entry of another issuer", none, func(l *ocsptest.List) { l.Entries = append(l.Entries, entryFor(s.other, certificateIssuer)) }, 7, 8, nil, evidence.ErrCriticalExtension},
		{"case 82 an unknown critical extension", none, more(foreign), 7, 8, nil, evidence.ErrCriticalExtension},
		{"case 82 an unknown critical extension of an entry", none, func(l *ocsptest.List) { l.Entries = append(l.Entries, entryFor(s.other, foreign)) }, 7, 8, nil, evidence.ErrCriticalExtension},
		{"case 73 no key identifiers", extensions(ocsptest.CRLNumber(7)), extensions(numbers(7, 8)...), 0, 0, nil, nil},
		{"case 73 a key identifier in the list alone", none, extensions(numbers(7, 8)...), 0, 0, nil, mismatch},
		{"case 73 a key identifier in the delta alone", extensions(ocsptest.CRLNumber(7)), none, 7, 8, nil, mismatch},
		{"case 73 the key identifier is the same and not all", none, extensions(append(numbers(7, 8), serialOfIssuer)...), 0, 0, nil, mismatch},
		{"case 73 another key identifier than the list's", none, extensions(append(numbers(7, 8), keyID(renewed))...), 0, 0, nil, mismatch},
		{"case 73 signed by another key", none, signed(renewed), 7, 8, nil, evidence.ErrBadSignature},
		{"case 73 signed by the issuer's next key", none, both(extensions(append(numbers(7, 8), keyID(renewed))...), signed(renewed)), 0, 0, issuers, mismatch},
		{"case 73 signed by the next key, no key identifiers", extensions(ocsptest.CRLNumber(7)), both(extensions(numbers(7, 8)...), signed(renewed)), 0, 0, issuers, mismatch},
		{"case 73 both signed by the next key", both(extensions(keyID(renewed), ocsptest.CRLNumber(7)), signed(renewed)), both(extensions(append(numbers(7, 8), keyID(renewed))...), signed(renewed)), 0, 0, issuers, nil},
		{"case 73 of another issuer", none, both(extensions(numbers(7, 8)...), named(another), signed(another)), 0, 0, nil, evidence.ErrCRLIssuer},
		{"case 73 signed by the certificate in question", none, both(extensions(numbers(7, 8)...), signed(s.client)), 0, 0, nil, evidence.ErrBadSignature},
		{"case 75 tampered with", none, forged, 7, 8, nil, evidence.ErrBadSignature},
		{"case 86 without entries", none, func(l *ocsptest.List) { l.Entries = nil }, 7, 8, nil, nil},
		{"case 86 revokedCertificates empty", none, func(l *ocsptest.List) { l.Entries, l.WithEmpty = nil, true }, 7, 8, nil, malformed},
		{"case 87 bytes after it", none, func(l *ocsptest.List) { l.Behind = map[ocsptest.Place][]byte{ocsptest.AfterAll: {5, 0}} }, 7, 8, nil, malformed},
		{"rule C2 version 1", none, func(l *ocsptest.List) { l.NoVersion = true }, 7, 8, func(o *evidence.VerifyOptions) { o.AllowV1CRL = true }, malformed},
		{"rule C3 signed with SHA-1", none, func(l *ocsptest.List) { l.Algorithm = ocsptest.ECDSA(crypto.SHA1) }, 7, 8, nil, evidence.ErrWeakAlgorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, d := s.list(), s.delta(c.from, c.to, entryFor(s.client, compromise))
			c.base(&l)
			c.delta(&d)
			o := at(now)
			if c.terms != nil {
				c.terms(&o)
			}
			base, err := evidence.ParseCRL(encode(t, l), s.ca.cert, o)
			require.NoError(t, err)
			merged, err := base.WithDelta(encode(t, d), s.ca.cert, o)
			if c.err != nil {
				assert.ErrorIs(t, err, c.err)
				assert.Nil(t, merged)
			} else {
				require.NoError(t, err)
				result, err := merged.Lookup(s.client.cert, o)
				want := evidence.Revoked
				if d.Entries == nil {
					want = evidence.Good
				}
				expect(t, result, err, want, nil)
			}
			result, err := base.Lookup(s.client.cert, o)
			expect(t, result, err, evidence.Good, nil)
		})
	}
}

// Cases 85, 88 and 100: data that is not a delta, and a delta instead of a list.
func TestCRL_WithDelta_Arguments(t *testing.T) {
	s := newScene(t)
	base := parse(t, s.ca, encode(t, s.list()))
	der := encode(t, s.delta(7, 8, entryFor(s.client)))
	text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for _, c := range []struct {
		name   string
		list   *evidence.CRL
		der    []byte
		issuer *x509.Certificate
		now    time.Time
		err    error
	}{
		{"case 88 DER", base, der, s.ca.cert, now, nil},
		{"case 88 PEM", base, text, s.ca.cert, now, nil},
		{"case 88 two PEM blocks", base, append(bytes.Clone(text), text...), s.ca.cert, now, evidence.ErrMalformed},
		{"case 88 HTML", base, []byte("<html></html>"), s.ca.cert, now, evidence.ErrMalformed},
		{"case 88 nothing", base, nil, s.ca.cert, now, evidence.ErrMalformed},
		{"case 88 the list itself", base, encode(t, s.list()), s.ca.cert, now, evidence.ErrDeltaMismatch},
		{"case 98 another issuer", base, der, s.root.cert, now, evidence.ErrCRLIssuer},
		{"case 100 no issuer", base, der, nil, now, evidence.ErrArgument},
		{"case 100 no moment", base, der, s.ca.cert, time.Time{}, evidence.ErrArgument},
		{"case 100 no list", nil, der, s.ca.cert, now, evidence.ErrArgument},
		{"case 100 a list that was never parsed", &evidence.CRL{}, der, s.ca.cert, now, evidence.ErrDeltaMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			merged, err := c.list.WithDelta(c.der, c.issuer, at(c.now))
			if c.err == nil {
				require.NoError(t, err)
				result, err := merged.Lookup(s.client.cert, at(now))
				expect(t, result, err, evidence.Revoked, nil)
				return
			}
			assert.ErrorIs(t, err, c.err)
			assert.Nil(t, merged)
		})
	}
	list, err := evidence.ParseCRL(der, s.ca.cert, at(now))
	assert.ErrorIs(t, err, evidence.ErrCRLScope, "case 85 a delta is not a base")
	assert.Nil(t, list)
}

// Case 100: a delta is not read without the issuer or the time for its verification.
func TestParseDelta_Arguments(t *testing.T) {
	s := newScene(t)
	der := encode(t, s.delta(7, 8))
	for _, c := range []struct {
		name   string
		issuer *x509.Certificate
		now    time.Time
		err    error
	}{
		{"issuer and moment", s.ca.cert, now, nil},
		{"no issuer", nil, now, evidence.ErrArgument},
		{"an issuer that was never parsed", &x509.Certificate{}, now, evidence.ErrArgument},
		{"no moment", s.ca.cert, time.Time{}, evidence.ErrArgument},
	} {
		t.Run("case 100 "+c.name, func(t *testing.T) {
			delta, err := evidence.ParseDelta(der, c.issuer, at(c.now))
			assert.ErrorIs(t, err, c.err)
			assert.Equal(t, c.err == nil, delta != nil)
		})
	}
}

// RFC 5280, section 5.2.4: a delta continues the lists of its issuer, scope and key from its
// BaseCRLNumber on. One that begins later, or is older, cannot replace another one.
func TestDelta_ReplacesOnlyWhatItCovers(t *testing.T) {
	s := newScene(t)
	another := makeCert(t, "Other CA", s.ca.key, s.root, asCA) // with the same key
	read := func(by *identity, d ocsptest.List) *evidence.Delta {
		t.Helper()
		d.Issuer = by.cert.RawSubject
		delta, err := evidence.ParseDelta(encode(t, d), by.cert, at(now))
		require.NoError(t, err)
		return delta
	}
	scoped := s.delta(7, 9)
	scoped.Extensions = append(scoped.Extensions, ocsptest.IssuingPoint(ocsptest.Flag(1))) // onlyContainsUserCerts
	known := read(s.ca, s.delta(7, 9))
	for _, c := range []struct {
		name string
		next *evidence.Delta
		want bool
	}{
		{"the same", read(s.ca, s.delta(7, 9)), true},
		{"a newer one from the same list on", read(s.ca, s.delta(7, 10)), true},
		{"a newer one from an earlier list on", read(s.ca, s.delta(6, 10)), true},
		{"a newer one from a later list on", read(s.ca, s.delta(8, 10)), false},
		{"an older one", read(s.ca, s.delta(7, 8)), false},
		{"an older one from an earlier list on", read(s.ca, s.delta(6, 8)), false},
		{"one of another scope", read(s.ca, scoped), false},
		{"one of another CA", read(another, s.delta(7, 10)), false},
	} {
		assert.Equal(t, c.want, c.next.Replaces(known), c.name)
	}
}

// A caller with a good answer from elsewhere asks whether the delta contradicts it: a revocation
// does, and so does a hold, but not an entry that lifts one.
func TestCRL_ListedByDelta(t *testing.T) {
	s := newScene(t)
	client := subjectOf(t, s.client)
	base := parse(t, s.ca, encode(t, s.list(entryFor(s.client, hold))))
	since, listed := base.ListedByDelta(&client)
	assert.False(t, listed, "without a delta, whatever the list says")
	assert.Zero(t, since)
	for _, c := range []struct {
		name    string
		entries []ocsptest.Entry
		want    bool
	}{
		{"not listed", nil, false},
		{"another certificate is listed", []ocsptest.Entry{entryFor(s.other, compromise)}, false},
		{"removed", []ocsptest.Entry{entryFor(s.client, remove)}, false},
		{"on hold", []ocsptest.Entry{entryFor(s.client, hold)}, true},
		{"revoked", []ocsptest.Entry{entryFor(s.client, compromise)}, true},
	} {
		since, listed := withDelta(t, base, s, s.delta(7, 8, c.entries...)).ListedByDelta(&client)
		assert.Equal(t, c.want, listed, c.name)
		if c.want {
			assert.True(t, since.Equal(now.Add(-30*time.Minute)), "%s: %v", c.name, since)
		} else {
			assert.Zero(t, since, c.name)
		}
	}
}

// Case 85: of two deltas the newer one counts, whichever came first.
func TestCRL_WithDelta_OnADelta(t *testing.T) {
	s := newScene(t)
	base := parse(t, s.ca, encode(t, s.list()))
	eighth, ninth := s.delta(7, 8), s.delta(7, 9, entryFor(s.client, hold))
	list := withDelta(t, withDelta(t, base, s, eighth), s, ninth)
	result, err := list.Lookup(s.client.cert, at(now))
	expect(t, result, err, evidence.Revoked, nil)
	_, err = list.WithDelta(encode(t, eighth), s.ca.cert, at(now))
	assert.ErrorIs(t, err, evidence.ErrRollback)
	earlier := ninth
	earlier.ThisUpdate, earlier.Entries = ocsptest.UTCAt(now.Add(-40*time.Minute)), nil
	_, err = list.WithDelta(encode(t, earlier), s.ca.cert, at(now))
	assert.ErrorIs(t, err, evidence.ErrRollback, "the same number, earlier")
	again := withDelta(t, list, s, ninth)
	assert.NoError(t, list.CheckNewer(again))
	assert.ErrorIs(t, list.CheckNewer(base), evidence.ErrRollback, "the list without its delta is older")
	assert.NoError(t, base.CheckNewer(list))
	_, err = list.WithDelta(encode(t, s.delta(9, 10)), s.ca.cert, at(now))
	assert.ErrorIs(t, err, evidence.ErrDeltaMismatch, "it must continue the complete list, not the delta")
}

// Rules C4 and C10: both are fresh, and the combination expires with the first of them. Without the
// delta the list counts alone, but never against what the delta said.
func TestCRL_WithDelta_Times(t *testing.T) {
	s := newScene(t)
	utc := ocsptest.UTCAt
	type span struct{ this, next time.Duration }
	fresh := span{-30 * time.Minute, 6 * time.Hour}
	expired, future := span{-6 * time.Hour, -skew - time.Second}, span{skew + time.Second, day}
	base := span{-time.Hour, day}
	const good, revoked, unavailable = evidence.Good, evidence.Revoked, evidence.Unavailable
	type reasons = []ocsptest.Extension
	for _, c := range []struct {
		name         string
		list, delta  span
		listed, over reasons // the client's status in each
		status       evidence.Status
		missing      bool
		staleRevoked bool
		until        time.Duration // UsableUntil and NextUpdate; 0: not checked
	}{
		{"both are fresh", base, fresh, nil, nil, good, false, false, 6 * time.Hour},
		{"the delta lives longer", base, span{-time.Minute, 2 * day}, nil, nil, good, false, false, day},
		{"the delta ends by skew", base, span{-time.Hour, -skew}, nil, nil, good, false, false, -skew},
		{"the delta has expired", base, expired, nil, nil, good, true, false, day},
		{"the delta is of the future by skew", base, span{skew, day}, nil, nil, good, false, false, day},
		{"the delta is of the future", base, future, nil, nil, good, true, false, day},
		{"the list has expired", expired, fresh, nil, nil, unavailable, false, false, 0},
		{"both have expired", expired, expired, nil, nil, unavailable, false, false, 0},
		{"the list has expired and lists it", expired, fresh, reasons{compromise}, nil, unavailable, false, true, 0},
		{"the list has expired and the delta lists it", expired, fresh, nil, reasons{compromise}, unavailable, false, true, 0},
		{"the list has expired and the delta, which has not, holds it", expired, fresh, nil, reasons{hold}, unavailable, false, true, 0},
		{"the list alone, on hold", base, expired, reasons{hold}, nil, revoked, true, false, 0},
		{"the list alone, revoked", base, expired, reasons{compromise}, nil, revoked, true, false, 0},
		{"an expired delta lifts no hold", base, expired, reasons{hold}, reasons{remove}, revoked, true, false, 0},
		{"a delta of the future lifts no hold", base, future, reasons{hold}, reasons{remove}, revoked, true, false, 0},
		{"an expired delta that revokes is not passed over", base, expired, nil, reasons{compromise}, unavailable, false, true, 0},
		{"an expired delta that holds is not passed over", base, expired, nil, reasons{hold}, unavailable, false, false, 0},
		{"a delta of the future that revokes is not passed over", base, future, nil, reasons{compromise}, unavailable, false, false, 0},
		{"an expired delta that revokes what the list holds", base, expired, reasons{hold}, reasons{compromise}, revoked, true, false, 0},
		{"a delta of the future confirms no hold", base, future, reasons{hold}, reasons{hold}, revoked, true, false, 0},
		{"both have expired, the delta revokes", expired, expired, nil, reasons{compromise}, unavailable, false, true, 0},
		{"finding K164: both have expired, the delta revokes what the list holds", expired, expired, reasons{hold}, reasons{compromise}, unavailable, false, true, 0},
		{"both have expired, and hold it", expired, expired, reasons{hold}, reasons{hold}, unavailable, false, false, 0},
		{"the list has expired, a delta of the future revokes what it holds", expired, future, reasons{hold}, reasons{compromise}, unavailable, false, false, 0},
	} {
		t.Run("case 85 "+c.name, func(t *testing.T) {
			l, d := s.list(), s.delta(7, 8)
			for _, reason := range c.listed {
				l.Entries = append(l.Entries, entryFor(s.client, reason))
			}
			for _, reason := range c.over {
				d.Entries = append(d.Entries, entryFor(s.client, reason))
			}
			l.ThisUpdate, l.NextUpdate = utc(now.Add(c.list.this)), utc(now.Add(c.list.next))
			d.ThisUpdate, d.NextUpdate = utc(now.Add(c.delta.this)), utc(now.Add(c.delta.next))
			list := withDelta(t, parse(t, s.ca, encode(t, l)), s, d)
			result, err := list.Lookup(s.client.cert, at(now))
			expect(t, result, err, c.status, evidence.ErrNotFresh)
			assert.Equal(t, c.missing, result.DeltaMissing, "DeltaMissing")
			assert.Equal(t, c.staleRevoked, result.StaleRevoked, "StaleRevoked")
			if c.until != 0 {
				assert.Equal(t, now.Add(c.until), result.UsableUntil, "UsableUntil")
				assert.Equal(t, now.Add(c.until), result.NextUpdate, "NextUpdate")
			}
			of, at := int64(8), c.delta
			if c.missing {
				of, at = 7, c.list
			}
			if c.status != unavailable {
				assert.Equal(t, big.NewInt(of), result.CRLNumber)
				assert.Equal(t, now.Add(at.this), result.ThisUpdate)
			}
			assert.Equal(t, now.Add(c.delta.this), list.ThisUpdate())
			assert.Equal(t, now.Add(min(c.list.next, c.delta.next)), list.NextUpdate())
			assert.Equal(t, big.NewInt(8), list.Number())
		})
	}
	t.Run("rule C4 the age of list and delta bound the use of both", func(t *testing.T) {
		l, d := s.list(), s.delta(7, 8)
		l.ThisUpdate, l.NextUpdate = utc(now.Add(-29*day)), utc(now.Add(90*day))
		d.NextUpdate = utc(now.Add(80 * day))
		list := withDelta(t, parse(t, s.ca, encode(t, l)), s, d)
		result, err := list.Lookup(s.client.cert, at(now))
		expect(t, result, err, good, nil)
		assert.Equal(t, now.Add(day), result.UsableUntil)
		result, err = list.Lookup(s.client.cert, at(now.Add(day+time.Second)))
		expect(t, result, err, unavailable, evidence.ErrNotFresh)
	})
	t.Run("rule C4 the age of the delta has the bound of the certificate's kind", func(t *testing.T) {
		sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
		l, d := s.list(), s.delta(7, 8)
		l.ThisUpdate, l.NextUpdate = utc(now.Add(-10*day)), utc(now.Add(90*day))
		d.ThisUpdate, d.NextUpdate = utc(now.Add(-20*day)), utc(now.Add(80*day))
		list := withDelta(t, parse(t, s.ca, encode(t, l)), s, d)
		o := at(now)
		o.MaxAge, o.MaxAgeCA = 25*day, 23*day
		result, err := list.Lookup(s.client.cert, o)
		expect(t, result, err, good, nil)
		assert.Equal(t, now.Add(5*day), result.UsableUntil, "MaxAge")
		result, err = list.Lookup(sub.cert, o)
		expect(t, result, err, good, nil)
		assert.Equal(t, now.Add(3*day), result.UsableUntil, "MaxAgeCA")
	})
	t.Run("rule C4 no nextUpdate", func(t *testing.T) {
		l, d := s.list(), s.delta(7, 8)
		d.NextUpdate = nil
		list := withDelta(t, parse(t, s.ca, encode(t, l)), s, d)
		assert.Equal(t, now.Add(day), list.NextUpdate())
		result, err := list.Lookup(s.client.cert, at(now))
		expect(t, result, err, good, nil)
		assert.True(t, result.DeltaMissing)
		o := at(now)
		o.AllowNoNextUpdate = true
		result, err = list.Lookup(s.client.cert, o)
		expect(t, result, err, good, nil)
		assert.False(t, result.DeltaMissing)
		assert.Equal(t, now.Add(day), result.NextUpdate)
		l.NextUpdate, d.NextUpdate = nil, utc(now.Add(time.Hour))
		list = withDelta(t, parse(t, s.ca, encode(t, l)), s, d)
		assert.Equal(t, now.Add(time.Hour), list.NextUpdate())
		result, err = list.Lookup(s.client.cert, o)
		expect(t, result, err, good, nil)
		assert.Equal(t, now.Add(time.Hour), result.UsableUntil)
		l.NextUpdate, d.NextUpdate = nil, nil
		assert.True(t, withDelta(t, parse(t, s.ca, encode(t, l)), s, d).NextUpdate().IsZero())
	})
	t.Run("a revocation for good is sticky", func(t *testing.T) {
		list := withDelta(t, parse(t, s.ca, encode(t, s.list())), s, s.delta(7, 8, entryFor(s.client, compromise)))
		result, err := list.Lookup(s.client.cert, at(now))
		expect(t, result, err, revoked, nil)
		assert.True(t, s.client.cert.NotAfter.Equal(result.UsableUntil))
	})
}

// Rules C6, C9 and C1 of a list with a delta.
func TestCRL_WithDelta_ScopeAndRollback(t *testing.T) {
	s := newScene(t, point(uri(shardA)))
	elsewhere := makeCert(t, "elsewhere", newKey(t), s.ca, asClient, point(uri(shardB)))
	l, d := s.withPoint(uri(shardA)), s.delta(7, 8, entryFor(elsewhere, compromise))
	d.Extensions = append(d.Extensions, ocsptest.IssuingPoint(uri(shardA)))
	base := parse(t, s.ca, encode(t, l))
	list := withDelta(t, base, s, d)
	result, err := list.Lookup(elsewhere.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrCRLScope)
	known, err := list.Lookup(s.client.cert, at(now))
	expect(t, known, err, evidence.Good, nil)

	t.Run("case 84 the list without its delta is older than what is known", func(t *testing.T) {
		o := at(now)
		o.Previous = &known
		result, err := base.Lookup(s.client.cert, o)
		expect(t, result, err, evidence.Unavailable, evidence.ErrRollback)
	})
	t.Run("case 85 the delta expires: it still is known what it said", func(t *testing.T) {
		o := at(now.Add(7 * time.Hour))
		o.Previous = &known
		result, err := list.Lookup(s.client.cert, o)
		expect(t, result, err, evidence.Good, nil)
		assert.True(t, result.DeltaMissing)
	})
	t.Run("case 37 what is known of a later delta stays", func(t *testing.T) {
		later := s.delta(7, 9, entryFor(s.client, hold))
		later.Extensions = append(later.Extensions, ocsptest.IssuingPoint(uri(shardA)))
		held, err := withDelta(t, base, s, later).Lookup(s.client.cert, at(now))
		expect(t, held, err, evidence.Revoked, nil)
		for name, older := range map[string]*evidence.CRL{"the list": base, "an older delta": list} {
			o := at(now)
			o.Previous = &held
			result, err := older.Lookup(s.client.cert, o)
			expect(t, result, err, evidence.Revoked, nil)
			assert.Equal(t, held, result, name)
		}
	})
	t.Run("case 81 some reasons: what the delta lists is listed", func(t *testing.T) {
		some := ocsptest.IssuingPoint(ocsptest.Reasons(ocsptest.Context(3), 1, 2))
		l, d := s.list(), s.delta(7, 8, entryFor(s.other, compromise))
		l.Entries, l.Extensions, d.Extensions = nil, append(l.Extensions, some), append(d.Extensions, some)
		list := withDelta(t, parse(t, s.ca, encode(t, l)), s, d)
		result, err := list.Lookup(s.other.cert, at(now))
		expect(t, result, err, evidence.Revoked, nil)
		result, err = list.Lookup(s.client.cert, at(now))
		expect(t, result, err, evidence.Unavailable, evidence.ErrCRLIncomplete)
		assert.Equal(t, uint16(0b110), result.ReasonsCovered)
	})
}
