package outbound

import (
	"context"
	"crypto/x509"
	"math/rand/v2"
	"time"
)

// run is the only goroutine of a Certificate.
func (c *Certificate) run(ctx context.Context) {
	defer close(c.done)
	failures := 0
	for {
		c.warnExpiry()
		timer := time.NewTimer(pause(c.config.Interval, failures, rand.Float64())) //nolint:gosec // G404: jitter is no secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if c.reload(ctx) != nil {
			failures++
		} else {
			failures = 0
		}
	}
}

// pause returns the time to wait. The jitter keeps many instances from loading at the same moment.
func pause(interval time.Duration, failures int, random float64) time.Duration {
	if failures > 0 {
		sooner := max(interval/16, time.Second) << min(failures-1, 6)
		interval = min(interval, sooner)
	}
	return interval - time.Duration(random*float64(interval)/5)
}

// expiryWarning records which warning was given for which certificate.
type expiryWarning struct {
	cert *x509.Certificate
	left time.Duration
}

const day = 24 * time.Hour

// warnExpiry warns 30, 7 and 1 days ahead and once after the expiry, of the certificate of the chain that expires first:
// without its intermediates, a server may not know the issuer. A certificate whose lifetime is less than twice one of
// these periods gets no warning for it; one that lives less than two days gets a warning in the last quarter of its
// life. If the clock is set back, the warnings that are due again are given again.
func (c *Certificate) warnExpiry() {
	s := c.current.Load()
	if s == nil {
		return
	}
	cert := s.first()
	lifetime, left := cert.NotAfter.Sub(cert.NotBefore), cert.NotAfter.Sub(c.config.Now())
	if !cert.Equal(c.warned.cert) {
		c.warned = expiryWarning{cert, lifetime}
	}
	due := lifetime // none
	for _, ahead := range []time.Duration{30 * day, 7 * day, day, lifetime / 4, 0} {
		if ahead == lifetime/4 && lifetime >= 2*day || ahead > lifetime/2 {
			continue
		}
		if left <= ahead {
			due = ahead
		}
	}
	before := c.warned.left
	if c.warned.left = due; due >= before {
		return
	}
	err := fail(ReasonExpiring, "%s expires at %s", describe(cert), stamp(cert.NotAfter))
	if left < 0 {
		err = fail(ReasonCertificateExpired, "%s expired at %s", describe(cert), stamp(cert.NotAfter))
	}
	if cert != s.leaf {
		err.Hint = "add the CA's next certificate to the source: an intermediate that has expired is not presented"
	}
	c.tell(Event{Outcome: OutcomeWarned, Err: err.at(c.rule())}, s, false)
}
