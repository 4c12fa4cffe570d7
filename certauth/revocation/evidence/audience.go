package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
)

// Audience is the certificates that name one distribution point. It tells a list that is for
// none of them, which would stand in the place of the right one until it runs out, although
// it is validly signed. The zero value is empty. It must not be used by several at once.
type Audience struct {
	names      [][sha256.Size]byte // of all their distribution points, hashed: the certificates are not kept
	users, cas bool
}

// maxAudienceNames bounds them. With more a list is taken whatever it is called; each look-up
// decides again.
const maxAudienceNames = 64

// Add takes one more certificate into account, and reports whether that makes a difference.
func (a *Audience) Add(s *Subject) (wider bool) {
	wider = s.isCA && !a.cas || !s.isCA && !a.users
	a.users, a.cas = a.users || !s.isCA, a.cas || s.isCA
	for _, point := range s.points {
		for _, name := range point.names {
			if sum := sha256.Sum256(name); len(a.names) < maxAudienceNames && !slices.Contains(a.names, sum) {
				a.names, wider = append(a.names, sum), true
			}
		}
	}
	return wider
}

func (a *Audience) has(name []byte) bool { return slices.Contains(a.names, sha256.Sum256(name)) }

// ServesAny returns ErrCRLScope for a list of issuer that is for none of the certificates.
func (l *CRL) ServesAny(a *Audience, issuer *x509.Certificate) error {
	p := l.base.point
	switch {
	case p == nil:
	case p.onlyAttribute, p.onlyUser && !a.users, p.onlyCA && !a.cas:
		return fmt.Errorf("%w: for certificates of another kind than those that name it", ErrCRLScope)
	case p.hasPoint && len(a.names) < maxAudienceNames && !slices.ContainsFunc(p.names, a.has) && !p.namesCA(issuer.RawSubject):
		return fmt.Errorf("%w: of another distribution point than those of the certificates that name it", ErrCRLScope)
	}
	return nil
}

// ServesAll reports whether none of the certificates loses anything if the list takes the
// place of old: it is of this very point, whose URLs these are, for all of them, and for every
// reason that old was for.
func (l *CRL) ServesAll(a *Audience, issuer *x509.Certificate, urls []string, old *CRL) bool {
	p := l.base.point
	if p == nil {
		return true
	}
	reasons := AllReasons
	if old.base.point != nil {
		reasons = old.base.point.reasons
	}
	isOurs := func(name []byte) bool {
		url, ok := httpURL(name)
		return ok && slices.Contains(urls, url)
	}
	if p.hasPoint && !slices.ContainsFunc(p.names, isOurs) && !p.namesCA(issuer.RawSubject) {
		return false
	}
	return !(p.onlyUser && a.cas) && !(p.onlyCA && a.users) && p.reasons&reasons == reasons
}
