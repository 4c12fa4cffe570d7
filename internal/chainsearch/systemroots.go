package chainsearch

import (
	"crypto/x509"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// systemRoots returns the system's roots that have signed a certificate, or the certificate itself if it
// is one of them. Only crypto/x509 knows them. It compares their names byte for byte, and their dates.
func (s *search) systemRoots(child *candidate) []*candidate {
	var roots []*candidate
	for _, at := range verifyTimes(s.leaf.Certificate, s.now, s.Skew) {
		for _, usage := range [2]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
			options := x509.VerifyOptions{Roots: s.System, Intermediates: x509.NewCertPool(), CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}}
			chains, err := view(child.cert).Verify(options)
			if err != nil {
				continue
			}
			for _, chain := range chains {
				root := chain[len(chain)-1]
				switch {
				case len(chain) > 2: // some platforms add CAs of their own in between, which have not been checked
				case usage != x509.ExtKeyUsageClientAuth && certcheck.IsForClients(root, false):
					// A platform that stores usages itself may trust it for servers only. A root that limits
					// itself in this way is judged with its chain.
				case !holds(roots, root):
					roots = append(roots, newCandidate(root))
				}
			}
		}
	}
	return roots
}

// verifyTimes returns the times to verify at: now, limited to the leaf's validity, and with a skew also
// both of its ends, for roots that are about to begin or have just expired.
func verifyTimes(leaf *x509.Certificate, now time.Time, skew time.Duration) []time.Time {
	hold := func(t time.Time) time.Time {
		if t.After(leaf.NotAfter) {
			t = leaf.NotAfter
		}
		if t.Before(leaf.NotBefore) {
			t = leaf.NotBefore
		}
		return t
	}
	times := []time.Time{hold(now)}
	if skew > 0 {
		times = append(times, hold(now.Add(-skew)), hold(now.Add(skew)))
	}
	return times
}
