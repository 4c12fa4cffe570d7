package evidence_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Cases 37 and 38 and the hold of case 85, check 19: stored evidence compared with new evidence.
func TestVerify_Rollback(t *testing.T) {
	s := newScene(t)
	const none, hold, forGood = -2, evidence.ReasonCertificateHold, 1
	type state struct {
		status evidence.Status
		reason int
	}
	good, unknown := state{evidence.Good, -1}, state{evidence.Unknown, -1}
	held, revoked, nothing := state{evidence.Revoked, hold}, state{evidence.Revoked, forGood}, state{evidence.Unavailable, none}
	ocspOf := func(of state, at time.Time) []byte {
		r := s.good()
		switch of.status {
		case evidence.Unknown:
			r.Answers[0].Status = ocsptest.StatusUnknown
		case evidence.Revoked:
			r.Answers[0].Status = ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), of.reason)
		case evidence.Good, evidence.Unavailable:
		}
		r.Answers[0].ThisUpdate = ocsptest.At(at)
		return encode(t, r)
	}
	crlOf := func(of state, at time.Time) []byte {
		l := s.list()
		if of.status == evidence.Revoked {
			l.Entries = append(l.Entries, entryFor(s.client, ocsptest.ReasonCode(byte(of.reason))))
		}
		l.ThisUpdate = ocsptest.UTCAt(at)
		return encode(t, l)
	}
	const older, same, newer = -time.Hour, time.Duration(0), time.Hour
	base := now.Add(-2 * time.Hour)
	for _, c := range []struct {
		name  string
		known state
		later time.Duration // how much newer the new evidence is
		comes state
		want  state // nothing: ErrRollback
	}{
		{"a newer Good replaces Good", good, newer, good, good},
		{"an older Good never replaces Good", good, older, good, nothing},
		{"the same Good again", good, same, good, good},
		{"an older Unknown never replaces Good", good, older, unknown, nothing},
		{"a newer Unknown replaces Good", good, newer, unknown, unknown},
		{"a newer Revoked replaces Good", good, newer, revoked, revoked},
		{"case 37 an old Good after Revoked", revoked, older, good, revoked},
		{"case 37 an old Good after a hold", held, older, good, held},
		{"a newer Good does not end a revocation", revoked, newer, good, revoked},
		{"a newer Unknown does not end a revocation", revoked, newer, unknown, revoked},
		{"case 85 a newer Good ends a hold", held, newer, good, good},
		{"a Good of the same moment does not end a hold", held, same, good, held},
		{"a newer revocation replaces a hold", held, newer, revoked, revoked},
		{"a newer hold does not soften a revocation", revoked, newer, held, revoked},
		{"an older hold that was lifted does not come back", good, older, held, nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, f := range map[string]struct {
				verify verifier
				write  func(state, time.Time) []byte
			}{"OCSP": {evidence.VerifyOCSP, ocspOf}, "CRL": {bothWays(t), crlOf}} {
				if kind == "CRL" && (c.known == unknown || c.comes == unknown) {
					continue // a list does not contain this
				}
				known, err := f.verify(f.write(c.known, base), s.client.cert, s.ca.cert, at(now))
				require.NoError(t, err, kind)
				start := state{known.Status, known.Reason}
				require.Equal(t, c.known, start, kind)
				o := at(now)
				o.Previous = &known
				result, err := f.verify(f.write(c.comes, base.Add(c.later)), s.client.cert, s.ca.cert, o)
				if c.want == nothing {
					assert.ErrorIs(t, err, evidence.ErrRollback, kind)
					assert.Equal(t, evidence.Result{}, result, kind)
					continue
				}
				require.NoError(t, err, kind)
				got := state{result.Status, result.Reason}
				assert.Equal(t, c.want, got, kind)
			}
		})
	}
	t.Run("an older hold does not soften a revocation", func(t *testing.T) {
		known, err := evidence.VerifyOCSP(ocspOf(revoked, base), s.client.cert, s.ca.cert, at(now))
		require.NoError(t, err)
		o := at(now)
		o.Previous = &known
		result, err := evidence.VerifyOCSP(ocspOf(held, base.Add(older)), s.client.cert, s.ca.cert, o)
		if err != nil { // the caller keeps its result
			expect(t, result, err, evidence.Unavailable, evidence.ErrRollback)
			return
		}
		got := state{result.Status, result.Reason}
		assert.Equal(t, revoked, got)
	})
	t.Run("two steps do not end a revocation", func(t *testing.T) {
		known, err := evidence.VerifyOCSP(ocspOf(revoked, base), s.client.cert, s.ca.cert, at(now))
		require.NoError(t, err)
		for i, comes := range []state{held, good} {
			o := at(now)
			o.Previous = &known
			known, err = evidence.VerifyOCSP(ocspOf(comes, base.Add(time.Duration(i+1)*time.Minute)), s.client.cert, s.ca.cert, o)
			require.NoError(t, err)
		}
		assert.Equal(t, evidence.Revoked, known.Status)
	})
	t.Run("a Previous without a status binds nothing", func(t *testing.T) {
		o := at(now)
		o.Previous = &evidence.Result{ThisUpdate: now.Add(time.Hour)}
		result, err := evidence.VerifyOCSP(ocspOf(good, base), s.client.cert, s.ca.cert, o)
		expect(t, result, err, evidence.Good, nil)
	})
	t.Run("case 38 the clock steps back, then forward", func(t *testing.T) {
		der := encode(t, s.good())
		for _, step := range []struct {
			now    time.Time
			status evidence.Status
			err    error
		}{
			{now, evidence.Good, nil},
			{now.Add(-5 * day), evidence.Unavailable, evidence.ErrProducedAt},
			{now.Add(5 * day), evidence.Unavailable, evidence.ErrNotFresh},
			{now, evidence.Good, nil},
		} {
			result, err := evidence.VerifyOCSP(der, s.client.cert, s.ca.cert, at(step.now))
			expect(t, result, err, step.status, step.err)
		}
	})
}

// Rule C9 and case 84: of two lists the number decides if both have one, and otherwise thisUpdate.
func TestVerifyCRL_RollbackByNumber(t *testing.T) {
	s := newScene(t)
	const none = -1
	base := now.Add(-2 * time.Hour)
	list := func(number int64, later time.Duration, entries ...ocsptest.Entry) []byte {
		l := s.list(entries...)
		l.ThisUpdate = ocsptest.UTCAt(base.Add(later))
		l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(s.ca.cert.SubjectKeyId)}
		if number != none {
			l.Extensions = append(l.Extensions, ocsptest.CRLNumber(number))
		}
		return encode(t, l)
	}
	held := entryFor(s.client, ocsptest.ReasonCode(6))
	const later, same, earlier = time.Hour, time.Duration(0), -time.Hour
	for _, c := range []struct {
		name         string
		known, comes int64
		when         time.Duration
		older        bool
	}{
		{"case 84 a lower number", 7, 6, later, true},
		{"case 84 a lower number of the same moment", 7, 6, same, true},
		{"case 84 a lower number and earlier", 7, 6, earlier, true},
		{"case 84 a higher number", 7, 8, later, false},
		{"case 84 a higher number, though earlier", 7, 8, earlier, false},
		{"case 84 the same number, later", 7, 7, later, false},
		{"case 84 the same number again", 7, 7, same, false},
		{"case 84 the same number, earlier", 7, 7, earlier, true},
		{"case 84 numbers of two octets", 0x7FFF, 0x8000, earlier, false},
		{"case 84 no number any more, later", 7, none, later, false},
		{"case 84 no number any more, earlier", 7, none, earlier, true},
		{"case 84 a number for the first time, earlier", none, 7, earlier, true},
		{"case 84 no numbers, later", none, none, later, false},
		{"case 84 no numbers, earlier", none, none, earlier, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for state, entries := range map[evidence.Status][]ocsptest.Entry{evidence.Good: nil, evidence.Revoked: {held}} {
				known, err := bothWays(t)(list(c.known, same, entries...), s.client.cert, s.ca.cert, at(now))
				expect(t, known, err, state, nil)
				o := at(now)
				o.Previous = &known
				result, err := bothWays(t)(list(c.comes, c.when), s.client.cert, s.ca.cert, o)
				switch again := c.known == c.comes && c.when == same; {
				case state == evidence.Good && c.older:
					expect(t, result, err, evidence.Unavailable, evidence.ErrRollback)
				case state == evidence.Revoked && (c.older || again):
					expect(t, result, err, evidence.Revoked, nil)
					assert.Equal(t, known, result, "the hold stays")
				default:
					expect(t, result, err, evidence.Good, nil)
				}
			}
		})
	}
	t.Run("case 84 the number of the list is in the result", func(t *testing.T) {
		result, err := bothWays(t)(list(0x8000, same), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Good, nil)
		assert.Equal(t, big.NewInt(0x8000), result.CRLNumber)
		result, err = bothWays(t)(list(none, same), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Good, nil)
		assert.Nil(t, result.CRLNumber)
	})
}
