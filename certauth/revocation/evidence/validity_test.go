package evidence_test

import (
	"crypto/x509"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Check 16 and rule C4: the error says which evidence has expired, when, and how old it is. From
// two days on the age is given in days, because hours are then hard to read.
func TestVerify_StaleEvidenceIsNamedWithItsAge(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		age  time.Duration
		says string
	}{
		{2 * time.Hour, "2h0m0s"},
		{day, "24h0m0s"},
		{2*day - time.Second, "47h59m59s"},
		{2 * day, "2 days"},
		{3*day - time.Second, "2 days"},
		{9 * day, "9 days"},
	} {
		this, next := now.Add(-c.age), now.Add(-time.Hour)
		r, l := s.good(), s.list()
		r.ProducedAt, r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(this), ocsptest.At(this), ocsptest.At(next)
		l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(this), ocsptest.UTCAt(next)
		for name, f := range map[string]struct {
			verify verifier
			der    []byte
		}{"the answer": {evidence.VerifyOCSP, encode(t, r)}, "the CRL": {bothWays(t), encode(t, l)}} {
			t.Run(name+", "+c.says, func(t *testing.T) {
				result, err := f.verify(f.der, s.client.cert, s.ca.cert, at(now))
				expect(t, result, err, evidence.Unavailable, evidence.ErrNotFresh)
				assert.ErrorContains(t, err, name+" is "+c.says+" old (thisUpdate "+this.Format(time.RFC3339)+")")
				assert.ErrorContains(t, err, "expired at its nextUpdate, "+next.Format(time.RFC3339))
			})
		}
	}
}

// Check 16 and rule C4: evidence from the future is named with its time and that of the clock.
func TestVerify_EvidenceFromTheFutureIsNamedWithItsTime(t *testing.T) {
	s := newScene(t)
	this := now.Add(skew + time.Second)
	r, l := s.good(), s.list()
	r.ProducedAt, r.Answers[0].ThisUpdate = ocsptest.At(now.Add(time.Second)), ocsptest.At(this)
	l.ThisUpdate = ocsptest.UTCAt(this)
	for name, f := range map[string]struct {
		verify verifier
		der    []byte
	}{"the answer": {evidence.VerifyOCSP, encode(t, r)}, "the CRL": {bothWays(t), encode(t, l)}} {
		t.Run(name, func(t *testing.T) {
			result, err := f.verify(f.der, s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Unavailable, evidence.ErrFuture)
			assert.ErrorContains(t, err, "thisUpdate of "+name+", "+this.Format(time.RFC3339)+", lies ahead of the clock, "+now.Format(time.RFC3339))
			assert.Contains(t, advice.In(err), "check this host's clock")
		})
	}
}

// Check 16 and rule C4: evidence that is too old only by a bound of ours names the option that holds
// for this kind of certificate, and what the evidence itself says.
func TestVerify_EvidenceOverMaxAgeNamesTheOption(t *testing.T) {
	s := newScene(t)
	sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
	this, next := now.Add(-500*day), now.Add(day)
	const until, never = "it is valid until its nextUpdate, 2026-03-03T12:00:00Z", "it has no nextUpdate"
	for _, c := range []struct {
		name  string
		of    *identity
		crl   bool
		next  []byte
		terms func(*evidence.VerifyOptions)
		says  []string
		step  string
	}{
		{"an answer about a client", s.client, false, ocsptest.At(next), nil, []string{"the answer is 500 days old", "MaxAge allows 10 days", until}, "raise Verify.MaxAge"},
		{"an answer about a CA", sub, false, ocsptest.At(next), nil, []string{"the answer is 500 days old", "MaxAgeCA allows 400 days", until}, "raise Verify.MaxAgeCA"},
		{"a list about a client", s.client, true, ocsptest.At(next), nil, []string{"the CRL is 500 days old", "MaxAge allows 30 days", until}, "raise Verify.MaxAge"},
		{"a list about a CA", sub, true, ocsptest.At(next), nil, []string{"the CRL is 500 days old", "MaxAgeCA allows 400 days", until}, "raise Verify.MaxAgeCA"},
		{
			"an answer without nextUpdate, allowed", s.client, false, nil, func(o *evidence.VerifyOptions) { o.NoNextUpdateMaxAge = -1 },
			[]string{"the answer is 500 days old", "MaxAge allows 10 days", never},
			"raise Verify.MaxAge",
		},
		{
			"a list without nextUpdate, allowed", s.client, true, nil, func(o *evidence.VerifyOptions) { o.AllowNoNextUpdate = true },
			[]string{"the CRL is 500 days old", "MaxAge allows 30 days", never},
			"raise Verify.MaxAge",
		},
		{
			"an answer without nextUpdate", s.client, false, nil, func(o *evidence.VerifyOptions) { o.MaxAge = -1 },
			[]string{"the answer is 500 days old", "has no nextUpdate", "NoNextUpdateMaxAge allows 1h0m0s"},
			"raise Verify.NoNextUpdateMaxAge",
		},
		{
			"a list without nextUpdate", s.client, true, nil, func(o *evidence.VerifyOptions) { o.MaxAge = -1 },
			[]string{"the CRL has no nextUpdate, and AllowNoNextUpdate is not set"},
			"Verify.AllowNoNextUpdate",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := &identity{cert: makeCert(t, "old", newKey(t), s.ca, func(x *x509.Certificate) {
				x.SerialNumber, x.IsCA, x.BasicConstraintsValid = c.of.cert.SerialNumber, c.of == sub, c.of == sub
				x.NotBefore = now.Add(-1000 * day)
			}).cert}
			r, l, verify := s.good(), s.list(), verifier(evidence.VerifyOCSP)
			r.ProducedAt, r.Answers = ocsptest.At(this), []ocsptest.Answer{s.answer(of, ocsptest.StatusGood)}
			r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(this), c.next
			l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(this), c.next
			der := encode(t, r)
			if c.crl {
				verify, der = bothWays(t), encode(t, l)
			}
			o := at(now)
			if c.terms != nil {
				c.terms(&o)
			}
			result, err := verify(der, of.cert, s.ca.cert, o)
			expect(t, result, err, evidence.Unavailable, evidence.ErrNotFresh)
			for _, words := range c.says {
				assert.ErrorContains(t, err, words)
			}
			assert.Regexp(t, regexp.QuoteMeta(c.step)+`\b`, advice.In(err))
		})
	}
}
