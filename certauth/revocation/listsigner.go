package revocation

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// maxSigners bounds the additional keys of one CA.
const maxSigners = 4

// listSigner is another certificate of a CA, with another key that may sign its lists: after a change of
// key, or if the CA signs lists and certificates with different keys (RFC 5280, section 6.3.3
// (f)).
type listSigner struct {
	cert *x509.Certificate
	key  string // authorityKey
	who  evidence.Subject
	by   *authority // the CA that issued cert; nil if it is neither in the chain nor among Issuers
	// revoked is what a list has said against cert, kept when the list has expired or is gone.
	revoked *atomic.Pointer[Result]
}

// otherSigners returns the signers known now.
func (a *authority) otherSigners() []listSigner { return *a.signers.Load() }

// seenChain is a chain that findSigners has looked at, as far as its result depends on it.
type seenChain struct {
	after, anchor *x509.Certificate // the certificate after the CA, and the last one
	at, next      time.Time         // when it looked, and when the certificate of one more key becomes valid; zero if there is none
}

func seenIn(above []*x509.Certificate) seenChain {
	return seenChain{after: above[min(1, len(above)-1)], anchor: above[len(above)-1]}
}

// isLike compares the certificates, because those that a caller sends are parsed for each caller.
func (m *seenChain) isLike(other *seenChain) bool {
	return m.after.Equal(other.after) && m.anchor.Equal(other.anchor)
}

// maxSeen is more than the number of chains that one request may have. If only one were remembered, a
// CA with two roots would be looked at on each request.
const maxSeen = 8

// hasSeen reports whether findSigners has looked at a chain that continued in the same way, and would
// find the same signers now.
func (a *authority) hasSeen(above []*x509.Certificate, now time.Time) bool {
	known, like := a.seen.Load(), seenIn(above)
	if known == nil {
		return false
	}
	for i := range *known { // not by a function that takes the elements, because they are copied then
		if m := &(*known)[i]; m.isLike(&like) && !now.Before(m.at) && (m.next.IsZero() || now.Before(m.next)) {
			return true
		}
	}
	return false
}

// remember adds the chain, and forgets the one that was looked at first if there are too many.
func (a *authority) remember(at seenChain) {
	all := []seenChain{at}
	if known := a.seen.Load(); known != nil {
		all = append(all, slices.DeleteFunc(slices.Clone(*known), func(m seenChain) bool { return m.isLike(&at) })...)
	}
	all = all[:min(len(all), maxSeen)]
	a.seen.Store(&all)
}

// findSigners looks for further signers of a CA's lists among Config.Issuers and in a verified chain, of
// which above is the part that begins with the CA. It is not needed if hasSeen.
//
// Any other CA, under another anchor, can certify this CA's name and key, and a second certificate of
// that name beside or above it. What such a CA has signed therefore proves nothing: a list must
// lead to the same anchor as the certificate in question (RFC 5280, section 6.3.3 (f)), and the signers
// of a CA are known to all its chains, except below an anchor of its name (authorities.below).
func (c *Checker) findSigners(a *authority, above []*x509.Certificate) {
	own, now := above[0], c.config.Now()
	if a.hasSeen(above, now) {
		return
	}
	var next time.Time
	at := 1
	for at < len(above) && dn.Match(above[at].RawSubject, own.RawSubject) {
		at++
	}
	if at == len(above) { // the anchor has the CA's name, and its signatures were verified with the chain
		for _, other := range above[1:] {
			next = earliest(next, c.addSigner(a, other, above, now))
		}
	}
	for _, issuer := range c.local.issuers {
		other := issuer.cert()
		if issuer.name == a.name && belongTogether(own, other, above[at:]) {
			next = earliest(next, c.addSigner(a, other, above, now))
		}
	}
	looked := seenIn(above)
	looked.at, looked.next = now.Round(0), next
	a.remember(looked) // not before the signers are known, because other requests rely on it
}

// maxPresentedSigners bounds the signature checks that a caller can cause for one certificate.
const maxPresentedSigners = 2

// findPresentedSigners looks for signers among the certificates that the caller sent. The caller only chooses
// among certificates; those that the CA's own key has signed belong to it.
func (c *Checker) findPresentedSigners(a *authority, beside, above []*x509.Certificate) {
	looked := 0
	for _, other := range beside {
		if looked == maxPresentedSigners {
			return
		}
		if !dn.Match(other.RawSubject, above[0].RawSubject) || bytes.Equal(other.RawSubjectPublicKeyInfo, above[0].RawSubjectPublicKeyInfo) ||
			slices.ContainsFunc(a.otherSigners(), func(k listSigner) bool { return k.cert.Equal(other) }) {
			continue
		}
		looked++
		if hasSigned(above[0], other) {
			c.addSigner(a, other, above, c.config.Now())
		}
	}
}

// belongTogether reports whether the certificate of a CA and one of Config.Issuers with the same name belong to
// one CA: one has signed the other, or the CA above has signed both and other may sign only lists. The
// name alone proves nothing, and a CA that was renewed with a new key may have a list for each key.
func belongTogether(own, other *x509.Certificate, above []*x509.Certificate) bool {
	if hasSigned(own, other) || hasSigned(other, own) {
		return true
	}
	listsAlone := other.KeyUsage&(x509.KeyUsageCRLSign|x509.KeyUsageCertSign) == x509.KeyUsageCRLSign
	return listsAlone && len(above) > 0 && hasSigned(above[0], other)
}

func hasSigned(by, cert *x509.Certificate) bool {
	return dn.Match(by.RawSubject, cert.RawIssuer) && by.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// addSigner adds a certificate that may sign lists, or might before it expired: of a CA, or of a list signer.
// Any other certificate has the CA's name by mistake. It takes the place of one of the same key that expires
// sooner and, if there is no other, of those that have expired, once StaleGrace does not apply to their lists
// any more. addSigner returns when the certificate becomes valid, if it is not yet. above begins with a
// certificate of the CA.
func (c *Checker) addSigner(a *authority, cert *x509.Certificate, above []*x509.Certificate, now time.Time) (next time.Time) {
	if begins := cert.NotBefore.Add(-c.skew); now.Before(begins) {
		return begins
	}
	if !evidence.MaySignLists(cert, earliest(now, cert.NotAfter), c.skew) {
		return next
	}
	who, err := evidence.NewSubject(cert)
	if err != nil {
		return next
	}
	one := listSigner{cert: cert, key: authorityKey(cert), who: who, revoked: new(atomic.Pointer[Result])}
	a.adding.Lock()
	defer a.adding.Unlock()
	hasEnded := func(k listSigner) bool { return !evidence.ValidAt(k.cert, now, c.skew+c.config.StaleGrace) }
	all := slices.DeleteFunc(slices.Clone(a.otherSigners()), func(k listSigner) bool { return k.key == one.key && k.cert.NotAfter.Before(cert.NotAfter) })
	if len(all) == maxSigners && !hasEnded(one) {
		all = slices.DeleteFunc(all, hasEnded)
	}
	if one.key != a.key && len(all) < maxSigners && !slices.ContainsFunc(all, func(other listSigner) bool { return other.key == one.key }) {
		anchor := above[len(above)-1]
		for _, issuer := range c.local.issuers {
			above = append(slices.Clip(above), issuer.cert())
		}
		if by := slices.IndexFunc(above, func(ca *x509.Certificate) bool { return hasSigned(ca, cert) }); by >= 0 {
			one.by = c.authorities.below(anchor, above[by])
		}
		all = append(all, one)
		a.signers.Store(&all)
		c.generation.Add(1) // lists of that key count from now on
	}
	return next
}

// isRevoked reports whether a list in memory revokes the certificate or puts it on hold, or one has, and no
// newer one has lifted the hold. What an expired list says against it ends like a hold.
func (c *Checker) isRevoked(k listSigner, terms *VerifyOptions) bool {
	known := k.revoked.Load()
	if k.by == nil || known != nil && known.RevokedForGood() {
		return known != nil
	}
	var t listsStatement
	t.revoked = slices.DeleteFunc(slices.Clone(k.by.otherSigners()), func(other listSigner) bool { return other.revoked.Load() == nil }) // as far as is known, because one may be k
	c.tallyLists(&t, &record{authority: k.by, who: k.who}, c.remote.ofCA(k.by, &k.who), terms)
	if !t.since.IsZero() { // an expired list or delta
		t.kept = stricter(t.kept, &Result{Status: Revoked, Reason: evidence.ReasonCertificateHold, ThisUpdate: t.since})
	}
	next := t.stillKept()
	if known != nil && (next != nil || known.ThisUpdate.After(t.lifts)) {
		next = stricter(known, cmp.Or(next, known))
	}
	if next != known && !k.revoked.CompareAndSwap(known, next) { // another update was faster
		return c.isRevoked(k, terms)
	}
	return next != nil
}

// whySilent returns why the lists of the key that signed this one can only accuse now, nil if they can also
// prove certificates good.
func (c *Checker) whySilent(l evidence.Edition, a *authority, now time.Time) error {
	return c.whySilentBy(l, a.otherSigners(), now)
}

func (c *Checker) whySilentBy(l evidence.Edition, signers []listSigner, now time.Time) error {
	terms := c.terms(now)
	for _, k := range signers {
		switch {
		case !l.SignedBy(&k.who):
		case c.isRevoked(k, &terms):
			return errRevokedSigner
		case !evidence.ValidAt(k.cert, now, c.skew):
			return errEndedSigner
		}
	}
	return nil
}

// silence is whySilent for a list of the operator, whose signer may belong to any CA. Only the certificates in
// Issuers count, because any CA can issue, and revoke, another one for that key.
func (c *Checker) silence(l evidence.Edition, now time.Time) error {
	var signers []listSigner
	for _, a := range c.authorities.list() {
		signers = append(signers, a.otherSigners()...)
	}
	isForeign := func(k listSigner) bool { return !slices.ContainsFunc(c.config.Issuers, k.cert.Equal) }
	return c.whySilentBy(l, slices.DeleteFunc(signers, isForeign), now)
}

func (l *loadedList) isByAny(signers []listSigner) bool {
	return slices.ContainsFunc(signers, func(k listSigner) bool { return l.edition().SignedBy(&k.who) })
}

// listTerms returns the terms for lists of a CA, which any of its keys may sign.
func (c *Checker) listTerms(a *authority, now time.Time) VerifyOptions {
	terms := c.terms(now)
	for _, k := range a.otherSigners() {
		terms.CRLIssuers = append(slices.Clip(terms.CRLIssuers), k.cert)
	}
	return terms
}
