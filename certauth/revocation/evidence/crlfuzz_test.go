package evidence_test

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// seedList gives a list to a fuzzer twice: unchanged, and as data to be signed.
func seedList(f *testing.F, l ocsptest.List) {
	f.Helper()
	f.Add(encode(f, l), false)
	f.Add(l.Data(), true)
}

// FuzzParseCRL treats bytes as a list and, after signing them, as its signed part. Reading the list
// for one certificate and looking the certificate up in the index give the same result for all
// options, and the index contains exactly what crypto/x509 finds in the list.
func FuzzParseCRL(f *testing.F) {
	s, _ := fixedScene(f, point(uri(shardA)))
	client := subjectOf(f, s.client)
	seedList(f, s.list())
	seedList(f, s.list(entryFor(s.client, hold), entryFor(s.client, compromise), entryFor(s.client, hold)))
	seedList(f, s.withPoint(uri(shardA), ocsptest.Flag(1)))
	seedList(f, s.withPoint(uri(shardB)))
	seedList(f, s.withPoint(ocsptest.Flag(4)))
	seedList(f, s.delta(7, 8, entryFor(s.client, remove)))
	odd := s.list(entryOf([]byte{0x80}), entryOf(bytes.Repeat([]byte{0x55}, 24), hold), entryOf(bytes.Repeat([]byte{0x55}, 25)))
	odd.Entries = append(odd.Entries, entryFor(s.client, ocsptest.Extension{OID: ocsptest.OIDInvalidityDate, Value: ocsptest.At(now)}, compromise))
	odd.Extensions = append(odd.Extensions, ocsptest.FreshestCRL(ocsptest.Point(uri(shardB))))
	seedList(f, odd)
	v1 := s.list()
	v1.NoVersion, v1.Extensions = true, nil
	seedList(f, v1)
	stale := s.list(entryFor(s.client))
	stale.NextUpdate = ocsptest.UTCAt(now.Add(-time.Hour))
	seedList(f, stale)
	known := evidence.Result{Status: evidence.Revoked, Reason: evidence.ReasonCertificateHold, ThisUpdate: now.Add(-time.Hour)}
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign {
			l := s.list()
			l.TBS = small(data)
			data = encode(t, l)
		}
		for _, o := range []evidence.VerifyOptions{
			at(now), {Now: now, AllowV1CRL: true, AllowEmptyRevokedList: true, AllowNoNextUpdate: true, Previous: &known},
		} {
			for _, of := range []*identity{s.client, s.other} {
				result, err := evidence.VerifyCRL(data, of.cert, s.ca.cert, o)
				indexed, indexedErr := parseAndLookup(data, of.cert, s.ca.cert, o)
				agree(t, result, err, indexed, indexedErr)
				require.Equal(t, err != nil, result.Status == evidence.Unavailable)
			}
		}
		list, err := evidence.ParseCRL(data, s.ca.cert, at(now))
		if err != nil {
			require.Nil(t, list)
			return
		}
		theirs, err := x509.ParseRevocationList(data)
		require.NoError(t, err, "crypto/x509 refuses what was accepted: %x", data)
		require.Equal(t, len(theirs.RevokedCertificateEntries), list.Entries())
		entries := entriesOf(t, data)
		o := at(theirs.ThisUpdate) // always fresh then, unless it had already expired
		for _, e := range theirs.RevokedCertificateEntries {
			serial := contentOf(t, e.SerialNumber)
			for _, asked := range [][]byte{serial, append(serial[:len(serial)-1:len(serial)-1], serial[len(serial)-1]^1)} {
				subject := client.WithSerial(asked)
				result, err := list.LookupSubject(&subject, &o)
				if err != nil {
					continue // of the list's scope or nextUpdate
				}
				require.Equal(t, entries.says(asked), statusText(result), "%x", asked)
			}
		}
	})
}

// FuzzDelta does the same for deltas applied to one list. Their combined statement is computed here
// from what crypto/x509 finds in each.
func FuzzDelta(f *testing.F) {
	s, _ := fixedScene(f)
	client := subjectOf(f, s.client)
	held, both, long := []byte{0x11}, []byte{0x22}, bytes.Repeat([]byte{0x33}, 26)
	base := s.list(entryOf(held, hold), entryOf(both, hold), entryOf(both, compromise), entryOf(long, hold))
	baseDER := encode(f, base)
	list := parse(f, s.ca, baseDER)
	inBase := entriesOf(f, baseDER)
	seedList(f, s.delta(7, 8))
	seedList(f, s.delta(6, 9, entryOf(held, remove), entryOf(both, remove), entryOf(long, remove), entryFor(s.client, hold)))
	seedList(f, s.delta(7, 8, entryOf(held, compromise), entryFor(s.client, remove), entryFor(s.client)))
	seedList(f, s.delta(8, 9, entryFor(s.client)))
	seedList(f, s.delta(7, 7))
	seedList(f, base)
	stale := s.delta(7, 8, entryOf(held, remove), entryFor(s.client))
	stale.NextUpdate = ocsptest.UTCAt(now.Add(-time.Hour))
	seedList(f, stale)
	soft := s.delta(7, 8)
	soft.Extensions[2].Critical = false
	seedList(f, soft)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign {
			l := s.list()
			l.TBS = small(data)
			data = encode(t, l)
		}
		_, completeErr := evidence.ParseCRL(data, s.ca.cert, at(now))
		merged, err := list.WithDelta(data, s.ca.cert, at(now))
		if err != nil {
			require.Nil(t, merged)
			return
		}
		require.ErrorIs(t, completeErr, evidence.ErrCRLScope, "a delta was taken for a list")
		delta, err := x509.ParseRevocationList(data)
		require.NoError(t, err, "crypto/x509 refuses what was accepted: %x", data)
		require.Equal(t, list.Entries()+len(delta.RevokedCertificateEntries), merged.Entries())
		require.Positive(t, delta.Number.Cmp(list.Number()))
		age := now.Sub(delta.ThisUpdate)
		fresh := age >= -skew && age <= evidence.DefaultMaxAgeCRL && !delta.NextUpdate.Before(delta.ThisUpdate) && !now.After(delta.NextUpdate.Add(skew))
		serials := [][]byte{held, both, long, {0x44}}
		for _, e := range delta.RevokedCertificateEntries {
			serials = append(serials, contentOf(t, e.SerialNumber))
		}
		inDelta := entriesOf(t, data)
		for _, serial := range serials {
			subject, o := client.WithSerial(serial), at(now)
			result, err := merged.LookupSubject(&subject, &o)
			want := together(inBase.says(serial), inDelta[number(serial).String()], fresh)
			if want == "" {
				require.ErrorIs(t, err, evidence.ErrNotFresh, "%x", serial)
				require.Equal(t, evidence.Unavailable, result.Status)
				continue
			}
			require.NoError(t, err, "%x", serial)
			require.Equal(t, want, statusText(result), "%x in %x", serial, data)
			require.Equal(t, !fresh, result.DeltaMissing)
			assert.False(t, result.UsableUntil.After(s.client.cert.NotAfter))
		}
	})
}

// together expresses rule C10 differently: a revocation in either is one, then a hold in the delta,
// then the list unless the delta removes the number. A delta that is not fresh does not count, but
// an entry that it adds leaves no status (empty).
func together(inBase string, inDelta []int, fresh bool) string {
	has := map[int]bool{}
	for _, reason := range inDelta {
		switch reason {
		case evidence.ReasonCertificateHold, evidence.ReasonRemoveFromCRL:
			has[reason] = true
		default:
			has[1] = true
		}
	}
	adds := has[1] || has[evidence.ReasonCertificateHold]
	switch {
	case inBase == saysRevoked:
		return saysRevoked
	case !fresh && inBase == saysGood && adds:
		return ""
	case !fresh:
		return inBase
	case has[1]:
		return saysRevoked
	case has[evidence.ReasonCertificateHold]:
		return saysHeld
	case has[evidence.ReasonRemoveFromCRL]:
		return saysGood
	}
	return inBase
}
