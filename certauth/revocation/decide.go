package revocation

import (
	"cmp"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// decide combines the results for a chain into one answer. Revoked has priority, then
// certificates that cannot be accepted, then those accepted without evidence. If all are accepted, the
// oldest evidence is that of the answer.
func (c *Checker) decide(ctx context.Context, judged []judgement) (answer certauth.Revocation, refused error) {
	var oldest *Result
	at, waived, why := 0, 0, ""
	for i := range judged {
		j := &judged[i]
		switch {
		case j.result.Status == Revoked:
			return revocationOf(&j.result, i), nil
		case refused != nil || answer.Status == certauth.RevocationUnknown:
		case j.result.Status == Good:
			if j.result.Stale {
				c.stats.stale.Add(1)
			}
			if oldest == nil || j.result.ThisUpdate.Before(oldest.ThisUpdate) {
				oldest, at = &j.result, i
			}
		case j.result.Status == NotApplicable:
			waived, why = i, j.record.exempt
		case j.result.Status == Unknown && !c.config.AllowUnknown:
			answer = revocationOf(&j.result, i)
		case c.accepts(j):
			waived, why = i, "no evidence"
			if j.record == nil || !c.hasSource(j.record) {
				why = "no source to ask"
			}
			c.softFailed(ctx, i, j)
		default:
			answer, refused = certauth.Revocation{Depth: i}, c.refused(i, j)
		}
	}
	if refused != nil || answer.Status == certauth.RevocationUnknown {
		return answer, refused
	}
	if oldest != nil {
		answer = revocationOf(oldest, at)
	}
	if why != "" {
		answer.Status, answer.Depth, answer.Why = certauth.RevocationWaived, waived, why
	}
	return answer, nil
}

// accepts reports whether the Config accepts the certificate without a Good.
func (c *Checker) accepts(j *judgement) bool {
	switch {
	case j.result.StaleRevoked, errors.Is(j.err, ErrClosed):
		return false
	case j.record == nil && !errors.Is(j.err, ErrNoSource):
		return false // an unreadable certificate is not one without evidence
	}
	nobody := errors.Is(j.err, ErrNoSource) && (j.record == nil || !c.hasSource(j.record) && !j.record.names.Named)
	return c.config.Mode == SoftFail || c.config.AllowNoSource && nobody
}

func (c *Checker) refused(depth int, j *judgement) error {
	why := cmp.Or(j.err, errUnknown)
	if j.result.StaleRevoked {
		why = fmt.Errorf("expired evidence said revoked: %w", why)
	}
	which, r := fmt.Sprintf("certificate %d of the chain", depth), j.record
	if r == nil {
		return withAdvice(fmt.Errorf("%s: %w", which, why))
	}
	r.partner.refused(r.sources()...)
	err := fmt.Errorf("%s, issued by %s: %w", which, dn.Quote(r.authority.cert().RawSubject), why)
	if c.hasSource(r) && r.names.Unused != "" {
		err = fmt.Errorf("%w; not asked: %s", err, r.names.Unused)
	}
	if hosts := r.unnamed(err.Error()); len(hosts) > 0 {
		err = fmt.Errorf("%w; sources: %s", err, logtext.List(hosts))
	}
	return withAdvice(err)
}

// softFailed logs an acceptance without evidence.
func (c *Checker) softFailed(ctx context.Context, depth int, j *judgement) {
	c.stats.softFailed.Add(1)
	if c.config.Logger == nil {
		return
	}
	attrs := withError([]slog.Attr{slog.Int("depth", depth)}, cmp.Or(j.err, errUnknown))
	c.write(ctx, slog.LevelWarn, "revocation: accepted without evidence", attrs...)
}

var statuses = [...]certauth.RevocationStatus{
	Unavailable: certauth.RevocationUnavailable, Good: certauth.RevocationGood, Revoked: certauth.RevocationRevoked,
	Unknown: certauth.RevocationUnknown, NotApplicable: certauth.RevocationWaived,
}

func revocationOf(r *Result, depth int) certauth.Revocation {
	return certauth.Revocation{
		Status: statuses[r.Status], Source: r.Source.String(), Responder: r.Responder, Depth: depth, Stale: r.Stale,
		ThisUpdate: r.ThisUpdate, NextUpdate: r.NextUpdate, RevokedAt: r.RevokedAt,
	}
}

var oidNoRevAvail = asn1.ObjectIdentifier{2, 5, 29, 56}

// exemption returns why a certificate needs no evidence, or "".
//
// noRevAvail (RFC 9608) counts only on end-entity certificates that name no source. On a CA
// certificate, or together with a source, it contradicts the rest of the certificate and is
// ignored. must-staple and ocsp-nocheck say nothing about a client.
func exemption(cert *x509.Certificate, pointers bool, shortLived time.Duration) string {
	if shortLived > 0 && !cert.IsCA && cert.NotAfter.Sub(cert.NotBefore) <= shortLived {
		return "short-lived"
	}
	isNoRevAvail := func(e pkix.Extension) bool { return e.Id.Equal(oidNoRevAvail) }
	if !cert.IsCA && !pointers && slices.ContainsFunc(cert.Extensions, isNoRevAvail) {
		return "noRevAvail"
	}
	return ""
}

// String describes how the Checker treats missing evidence, as part of the policy text of package
// certauth. It names every setting that accepts callers without evidence.
func (c *Checker) String() string {
	o, words := &c.config, []string{"hard fail"}
	say := func(is bool, text string) {
		if is {
			words = append(words, text)
		}
	}
	if o.Mode == SoftFail {
		words[0] = "soft fail: accepted if there is no evidence"
	}
	say(o.Scope == LeafOnly, "only the client's certificate")
	say(o.AllowNoSource, "accepted if it names no source")
	say(o.AllowUnknown, "unknown is accepted")
	say(o.ShortLived > 0, "short-lived up to "+o.ShortLived.String()+" accepted")
	say(o.StaleGrace > 0, "good for "+o.StaleGrace.String()+" after it expired")
	return strings.Join(words, ", ")
}
