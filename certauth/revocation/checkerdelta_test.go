package revocation_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

const deltaURL = "http://crl.partner.example/clients-delta.crl"

// freshest returns an extension that names the delta in a base (RFC 5280, section 5.2.6).
func freshest(url string) ocsptest.Extension {
	return ocsptest.Extension{OID: ocsptest.OIDFreshestCRL, Value: ocsptest.Element(ocsptest.TagSequence, ocsptest.Point(uri(url)))}
}

// numberedBase and numberedDelta are lists of the scene with numbers.
func (w *wired) numberedBase(number int64, next time.Time, entries ...ocsptest.Entry) ocsptest.List {
	l := w.listAt(now.Add(-2*time.Hour), next, entries...)
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(w.ca.cert.SubjectKeyId), ocsptest.CRLNumber(number), freshest(deltaURL)}
	return l
}

func (w *wired) numberedDelta(base, number int64, this, next time.Time, entries ...ocsptest.Entry) ocsptest.List {
	l := w.listAt(this, next, entries...)
	indicator := ocsptest.CRLNumber(base)
	indicator.OID, indicator.Critical = ocsptest.OIDDeltaIndicator, true
	l.Entries = entries
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(w.ca.cert.SubjectKeyId), ocsptest.CRLNumber(number), indicator}
	return l
}

// Case 85 through the Checker.
func TestChecker_Deltas(t *testing.T) {
	hold, remove := ocsptest.ReasonCode(onHold), ocsptest.ReasonCode(evidence.ReasonRemoveFromCRL)
	week := now.Add(7 * day)
	for _, c := range []struct {
		name    string
		base    func(*wired) ocsptest.List
		delta   func(*testing.T, *wired) handler
		want    certauth.RevocationStatus
		missing bool
	}{
		{"case 85 the delta revokes", func(w *wired) ocsptest.List { return w.numberedBase(10, week) }, func(t *testing.T, w *wired) handler {
			return body(encode(t, w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.client))))
		}, isRevoked, false},
		{"case 85 the delta lifts a hold", func(w *wired) ocsptest.List { return w.numberedBase(10, week, entryFor(w.client, hold)) }, func(t *testing.T, w *wired) handler {
			return body(encode(t, w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.client, remove))))
		}, isGood, false},
		{"case 85 the delta is down: the base alone", func(w *wired) ocsptest.List { return w.numberedBase(10, week) }, as(failing(revocation.ErrTransport)), isGood, true},
		{"case 85 the delta is forged", func(w *wired) ocsptest.List { return w.numberedBase(10, week) }, func(t *testing.T, w *wired) handler {
			l := w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.client))
			l.Key = w.other.key
			return body(encode(t, l))
		}, isGood, true},
		{"case 85 a gap between base and delta", func(w *wired) ocsptest.List { return w.numberedBase(10, week) }, func(t *testing.T, w *wired) handler {
			return body(encode(t, w.numberedDelta(11, 12, now, now.Add(day), entryFor(w.client))))
		}, isGood, true},
		{"case 85 a delta is no base", func(w *wired) ocsptest.List { return w.numberedDelta(9, 10, now, now.Add(day)) }, as(failing(revocation.ErrTransport)), isUnavailable, false},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(crlURL, body(encode(t, c.base(w))))
			w.net.serve(deltaURL, c.delta(t, w))
			checker := w.checker(t, crlOnly)
			all, err := checker.Check(t.Context(), w.chain(w.client))
			require.Equal(t, c.want.String(), all.Revocation.Status.String())
			if c.want == isUnavailable {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.missing, all.Certificates[0].Result.DeltaMissing)
			without := w.checker(t, crlOnly, func(config *revocation.Config) { config.IgnoreDeltas = true })
			asked := w.net.count(deltaURL)
			_, _ = w.check(t, without)
			assert.Equal(t, asked, w.net.count(deltaURL))
		})
	}
}

// The base is unchanged for a week and answered by 304; its deltas are published every day.
func TestChecker_DeltasChangeWhileTheBaseDoesNot(t *testing.T) {
	for _, configured := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			w := wire(t)
			base := encode(t, w.numberedBase(10, now.Add(7*day)))
			w.net.serve(crlURL, inTurn(answered(revocation.Response{Body: base, ETag: `"10"`}), answered(revocation.Response{NotModified: true})))
			checker := w.checker(t, crlOnly)
			if configured {
				checker = w.operated(t, revocation.List{URL: crlURL}, func(c *revocation.Config) { c.IgnoreCertificateURLs = false })
			}
			for number := range 5 {
				at := now.Add(time.Duration(number) * day)
				var entries []ocsptest.Entry
				if number == 4 {
					entries = []ocsptest.Entry{entryFor(w.client)}
				}
				w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11+int64(number), at, at.Add(26*time.Hour), entries...))))
				for range 24 {
					_, err := w.check(t, checker)
					require.NoError(t, err)
					synctest.Wait()
					w.clock.advance(time.Hour)
				}
			}
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}

// If a delta has expired and no newer one is available, only the base counts, and this is reported.
func TestChecker_BaseOutlivesItsDelta(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.numberedBase(10, now.Add(7*day)))))
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.other)))))
		checker := w.checker(t, crlOnly)
		assert.False(t, w.findingOf(t, checker, w.client).DeltaMissing)
		w.says(t, checker, w.other, isRevoked, nil)
		w.outage()
		w.net.serve(deltaURL, failing(revocation.ErrTransport))
		w.clock.advance(2 * day)
		assert.True(t, w.findingOf(t, checker, w.client).DeltaMissing)
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.other, isRevoked, nil)
	})
}

// finding K91: of a certificate that a list holds and its delta revokes, or holds again, only the
// hold of the list counted once the delta had expired, so that an OCSP response from before the
// delta lifted it.
func TestChecker_AnExpiredDeltaIsNewerThanTheHoldOfItsList(t *testing.T) {
	const hour = time.Hour
	hold := ocsptest.ReasonCode(onHold)
	for _, c := range []struct {
		name string
		says ocsptest.Extension // by the delta
		good time.Duration      // thisUpdate of the OCSP response
		want certauth.RevocationStatus
	}{
		{"revoked, Good before that", ocsptest.ReasonCode(keyCompromise), -time.Hour, isRevoked},
		{"on hold again, Good before that", hold, -time.Hour, isRevoked},
		{"on hold again, Good since then", hold, 2 * time.Hour, isGood},
		{"lifted and nothing since, Good before that", ocsptest.ReasonCode(evidence.ReasonRemoveFromCRL), -time.Hour, isGood},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(crlURL, body(encode(t, w.numberedBase(10, now.Add(7*day), entryFor(w.client, hold)))))
			w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now, now.Add(3*hour), entryFor(w.client, c.says)))))
			checker := w.checker(t, leafOnly)
			w.says(t, checker, w.issue(t, "another", nowhere, point(uri(crlURL))), isGood, nil) // the list is in memory
			w.net.serve(deltaURL, failing(revocation.ErrTransport))
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(c.good), now.Add(5*day)))
			w.clock.advance(4 * hour)
			w.says(t, checker, w.client, c.want, nil)
			w.says(t, checker, w.client, c.want, nil)
		})
	}
}
