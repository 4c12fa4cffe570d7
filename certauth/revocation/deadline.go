package revocation

import (
	"crypto/x509"
	"hash/maphash"
	"time"
)

const (
	maxSoftOCSP        = time.Hour
	minSoft            = time.Minute
	softHold           = 15 * time.Minute
	softRevoked        = 24 * time.Hour
	keepUnknown        = 2 * time.Minute
	keepNoNextUpdate   = 5 * time.Minute
	maxSoftCRL         = 6 * time.Hour
	keepBadEvidence    = 30 * time.Second
	keepUnauthorized   = 5 * time.Minute
	overdueAfter       = 10 * time.Minute // after RefreshAfter
	usedWithin         = time.Hour
	graceWithinTheSkew = time.Minute
)

// ocspDeadlines sets the time until which a verified response may be used, and the time after
// which a newer one is requested. The second is at most an hour away for a Good, so a revocation
// of a certificate in use takes effect within an hour and one fetch.
func ocspDeadlines(r *Result, cert *x509.Certificate, now time.Time, skew time.Duration, jitter float64) {
	switch {
	case r.Status == Revoked: // a hold stays until newer evidence lifts it
		r.UsableUntil, r.RefreshAfter = cert.NotAfter, now.Add(mostSoft(r))
		return
	case r.Status == Unknown:
		r.UsableUntil = earliest(r.UsableUntil, now.Add(keepUnknown))
		r.RefreshAfter = r.UsableUntil
	case r.NextUpdate.IsZero():
		r.UsableUntil = earliest(r.UsableUntil, now.Add(keepNoNextUpdate))
		r.RefreshAfter = now.Add(scale(keepNoNextUpdate/2, jitter))
	default:
		r.RefreshAfter = softDeadline(r.ThisUpdate, r.NextUpdate, now, maxSoftOCSP, jitter)
		if !r.RefreshAfter.Before(r.UsableUntil) { // it ends earlier, by its age or with its delegate's certificate
			r.RefreshAfter = softDeadline(r.ThisUpdate, r.UsableUntil, now, maxSoftOCSP, jitter)
		}
	}
	// Evidence that verified only because clocks may differ answers the requests that wait for it: for a
	// minute, and never beyond the tolerated difference.
	if briefly := now.Add(graceWithinTheSkew); r.UsableUntil.Before(briefly) {
		r.UsableUntil = earliest(briefly, r.UsableUntil.Add(skew))
	}
}

// softDeadline returns half of the evidence's lifetime or, if that has passed, half of the time
// that remains, but no later than most from now.
func softDeadline(thisUpdate, nextUpdate, now time.Time, most time.Duration, jitter float64) time.Time {
	wait := thisUpdate.Add(nextUpdate.Sub(thisUpdate) / 2).Sub(now)
	if wait <= 0 {
		wait = nextUpdate.Sub(now) / 2
	}
	return now.Add(scale(max(min(wait, most), minSoft), (jitter-0.1)/2)) // the jitter only shortens it
}

// isDue reports whether newer evidence should be requested. Evidence from a file has no time for
// that: the file is read again when it changes.
func isDue(r *Result, now time.Time) bool {
	if r.RefreshAfter.IsZero() || r.RevokedForGood() && r.Source == SourceCRL { // a later list without the entry changes nothing
		return false
	}
	return hasCome(r.RefreshAfter, now, mostSoft(r))
}

// mostSoft is the longest time after which newer evidence is requested.
func mostSoft(r *Result) time.Duration {
	switch {
	case r.RevokedForGood():
		return softRevoked
	case r.Status == Revoked:
		return softHold
	case r.Source == SourceCRL:
		return maxSoftCRL
	}
	return maxSoftOCSP
}

// hasCome reports whether a deadline has passed by the monotonic clock or by the wall clock: the
// first stops while the machine sleeps, the second can be set back. A deadline that is further
// ahead than most dates from before the clock was set back, and has also passed.
func hasCome(soft, now time.Time, most time.Duration) bool {
	ahead := soft.Round(0).Sub(now.Round(0))
	return ahead <= 0 || !now.Before(soft) || ahead > scale(most, 0.2)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// scale spreads d by jitter, which is between -0.1 and 0.1.
func scale(d time.Duration, jitter float64) time.Duration {
	return d + time.Duration(float64(d)*jitter)
}

// jitterOf is between -0.1 and 0.1.
func jitterOf(seed maphash.Seed, key string) float64 {
	return float64(maphash.String(seed, key)%2001)/10000 - 0.1
}
