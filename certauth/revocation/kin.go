package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/presented"
)

// maxKin bounds the further keys of one CA.
const maxKin = 4

// kin is another certificate of a CA, with another key that may sign its lists: after a change
// of key, or where a CA signs lists and certificates by different keys (RFC 5280, section
// 6.3.3 (f)).
type kin struct {
	cert *x509.Certificate
	key  string // authorityKey
}

// kinNow is what is known of them by now; the list only grows.
func (a *authority) kinNow() []kin {
	if known := a.kin.Load(); known != nil {
		return *known
	}
	return nil
}

// hasMet reports whether this part of a chain is the one that was looked at last.
func (a *authority) hasMet(above []*x509.Certificate) bool {
	return a.above.Load() == above[min(1, len(above)-1)]
}

// meetKin looks for them in the part of a verified chain that begins with the CA, and among
// Config.Issuers. The same certificates above are looked at once.
func (c *Checker) meetKin(a *authority, above []*x509.Certificate) {
	if a.hasMet(above) {
		return
	}
	a.above.Store(above[min(1, len(above)-1)])
	own, now := above[0], c.config.Now()
	at := 1
	for ; at < len(above) && dn.Match(above[at].RawSubject, own.RawSubject); at++ { // the chain has verified
		c.addKin(a, above[at], now)
	}
	for _, issuer := range c.local.issuers {
		other := issuer.cert()
		if issuer.name == a.name && isKin(own, other, above[at:]) {
			c.addKin(a, other, now)
		}
	}
}

// maxPresentedKin bounds the signature checks that a caller can cause for one certificate.
const maxPresentedKin = 2

// meetPresented looks among what the caller sent along: his is only the choice, the CA has
// signed what is taken.
func (c *Checker) meetPresented(ctx context.Context, a *authority, above []*x509.Certificate) {
	looked := 0
	for _, other := range presented.Beside(ctx) {
		if looked == maxPresentedKin {
			return
		}
		if !dn.Match(other.RawSubject, above[0].RawSubject) || bytes.Equal(other.RawSubjectPublicKeyInfo, above[0].RawSubjectPublicKeyInfo) ||
			slices.ContainsFunc(a.kinNow(), func(k kin) bool { return k.cert.Equal(other) }) {
			continue
		}
		looked++
		if isKin(above[0], other, above[1:]) {
			c.addKin(a, other, c.config.Now())
		}
	}
}

// isKin reports whether two certificates of one name are of one CA: one has signed the other,
// or the CA above has signed both and the other signs lists and no certificates. A name alone
// proves nothing, and a CA that was renewed with a new key may have a list for each.
func isKin(own, other *x509.Certificate, above []*x509.Certificate) bool {
	if hasSigned(own, other) || hasSigned(other, own) {
		return true
	}
	listsAlone := other.KeyUsage&(x509.KeyUsageCRLSign|x509.KeyUsageCertSign) == x509.KeyUsageCRLSign
	return listsAlone && len(above) > 0 && hasSigned(above[0], other)
}

func hasSigned(by, cert *x509.Certificate) bool {
	return dn.Match(by.RawSubject, cert.RawIssuer) && by.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// addKin takes a certificate that may sign lists now: a CA, or one that says so. Who is neither
// has the CA's name by mistake.
func (c *Checker) addKin(a *authority, cert *x509.Certificate, now time.Time) {
	if !evidence.MaySignLists(cert, now, c.skew) {
		return
	}
	one := kin{cert, authorityKey(cert)}
	for {
		known := a.kin.Load()
		all := a.kinNow()
		if one.key == a.key || len(all) == maxKin || slices.ContainsFunc(all, func(other kin) bool { return other.key == one.key }) {
			return
		}
		all = append(slices.Clip(all), one)
		if a.kin.CompareAndSwap(known, &all) {
			c.generation.Add(1) // lists of that key count from now on
			return
		}
	}
}

// listTerms are the terms for lists of a CA, which any of its keys may sign.
func (c *Checker) listTerms(a *authority, now time.Time) VerifyOptions {
	terms := c.terms(now)
	for _, k := range a.kinNow() {
		terms.CRLIssuers = append(slices.Clip(terms.CRLIssuers), k.cert)
	}
	return terms
}
