package certauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/pins"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// Thumbprints accepts the certificates whose SHA-256 over the whole DER is listed. It is an
// anchor that vouches for the names. It disables no other check: the certificate must be within
// its validity and allow client authentication. A CA certificate is accepted here, because
// self-signed certificates usually are CA certificates.
//
// A pin is written in hex, in any case, with or without colons or spaces between the bytes. The
// invisible U+200E that Windows puts before a copied thumbprint is ignored. Different spellings
// of a pin are the same pin. Errors of New: an empty list, another length than 32 bytes (20 bytes
// are SHA-1: see [ThumbprintsSHA1]), and the digest of no data, which some front ends send
// without a certificate.
//
// If a policy checks a pin first, other certificates are refused before they are parsed, which is
// the cheapest refusal.
//
// There is no deny list by thumbprint, because the holder of an ECDSA certificate can make a
// second valid encoding of it with another thumbprint. See [Denied].
type Thumbprints []string

// ThumbprintsSHA1 is [Thumbprints] with SHA-1, the thumbprint that Azure shows. No known attack
// makes a second certificate with a given SHA-1, but a party that has certificates issued to it
// may be able to obtain two with the same SHA-1. Prefer [Thumbprints].
type ThumbprintsSHA1 []string

// PublicKeys accepts certificates whose public key is listed, as SHA-256 over the
// SubjectPublicKeyInfo: 32 bytes in hex as for [Thumbprints], or in padded standard base64, the
// form of RFC 7469. The pin stays valid if the certificate is renewed with the same key.
//
// It is an anchor for the key only and does not vouch for names: anyone who holds the key can
// write any subject into a new certificate. New therefore refuses rules on names after it, unless
// a [Chain] vouches for them too. CA certificates are refused.
type PublicKeys []string

// pinKind is a kind of pins and what it means for a policy.
type pinKind struct {
	pins.Kind

	slot    int      // in certSums
	what    string   // is hashed, in the words of a log
	vouches vouching // vouchedKey if only the key is hashed
}

// pinKinds is the number of different digests.
const pinKinds = 3

var (
	pinThumbprint     = pinKind{pins.Thumbprint, 0, "certificate SHA-256", vouchedNames}
	pinThumbprintSHA1 = pinKind{pins.ThumbprintSHA1, 1, "certificate SHA-1", vouchedNames}
	pinPublicKey      = pinKind{pins.PublicKey, 2, "public key SHA-256", vouchedKey}
	pinCertificate    = pinKind{pins.Kind{Name: "Certificates", Size: sha256.Size}, 0, "certificate", vouchedNames}
)

// hash returns the digest, or nil if it cannot be computed.
func (k *pinKind) hash(cert *x509.Certificate) []byte {
	if k.vouches == vouchedKey {
		return k.sum(cert.RawSubjectPublicKeyInfo)
	}
	return k.sum(cert.Raw)
}

func (k *pinKind) sum(der []byte) []byte {
	if k.Size == sha1sum.Size {
		return sumSHA1(der)
	}
	return sumSHA256(der)
}

func sumSHA256(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}

func sumSHA1(der []byte) []byte {
	sum, err := sha1sum.Of(der)
	if err != nil { // under GODEBUG=fips140=only, where New refuses a rule that could use it
		return nil
	}
	return sum[:]
}

func (p Thumbprints) compile(c *compilation, at place) (rule, standing) {
	return c.pinList(pinThumbprint, p, at)
}

func (p ThumbprintsSHA1) compile(c *compilation, at place) (rule, standing) {
	return c.pinList(pinThumbprintSHA1, p, at)
}

func (p PublicKeys) compile(c *compilation, at place) (rule, standing) {
	return c.pinList(pinPublicKey, p, at)
}

func (c *compilation) pinList(kind pinKind, list []string, at place) (rule, standing) {
	path := at.path + "." + kind.Name
	return c.pinRule(kind, path, "", reload.Fixed(path, c.pinSet(kind, path, list)), at)
}

// pinSet parses pins that are listed at path.
func (c *compilation) pinSet(kind pinKind, path string, list []string) pins.Set {
	set, mistakes := pins.NewSet(kind.Kind, path, list)
	c.mistakes = append(c.mistakes, mistakes...)
	return set
}

func (c *compilation) pinRule(kind pinKind, path, origin string, set *reload.Item[pins.Set], at place) (*pinRule, standing) {
	c.forbidUnderNot(path, at)
	if kind.Name == pinThumbprintSHA1.Name && !sha1sum.Available() {
		c.mistake(path, "%w; use Thumbprints", sha1sum.ErrUnavailable)
	}
	c.anchors++
	at.standing.vouched = max(at.standing.vouched, kind.vouches)
	at.standing.named = true
	return &pinRule{kind: kind, path: path, origin: origin, pins: set, skew: at.skew, serverAuth: at.serverAuth}, at.standing
}

type pinRule struct {
	kind   pinKind
	path   string
	origin string
	pins   *reload.Item[pins.Set]
	skew   time.Duration

	serverAuth string
}

func (r *pinRule) judge(e *evaluation) *Error {
	if refused := r.judgeLeaf(e); refused != nil {
		return refused
	}
	if refused := checkLeafDates(r.path, e, r.skew); refused != nil {
		return refused
	}
	e.path.anchor(r.kind.vouches, nil)
	return nil
}

// judgeLeaf makes all checks except those of the dates.
func (r *pinRule) judgeLeaf(e *evaluation) *Error {
	pins := r.pins.Get()
	if pins == nil || pins.Len() == 0 {
		return refusal(ReasonNotConfigured, r.path, "no pins")
	}
	if !pins.Contains(e.facts.sums.of(&r.kind, e.facts.leaf)) {
		return e.refuse(r, false)
	}
	if r.kind.vouches != vouchedNames && e.facts.isCA {
		return refusal(ReasonCertificateIsCA, r.path, "the leaf is a CA certificate")
	}
	return checkUnchained(r.path, e.facts, r.serverAuth)
}

func (r *pinRule) refusal(e *evaluation) *Error {
	refused := r.mismatch(e.facts.sums.of(&r.kind, e.facts.leaf))
	if r.kind.vouches == vouchedKey && r.pins.Get().Contains(e.facts.sums.of(&pinThumbprint, e.facts.leaf)) {
		return refused.withHint("a pin is that of this certificate and not of its key: list it in Thumbprints, or the key that the detail names in PublicKeys")
	}
	return refused
}

// mismatch names the pin that would be added, unless it is the SHA-256 that every record has.
func (r *pinRule) mismatch(sum []byte) *Error {
	pins := r.pins.Get().Len()
	switch r.kind.slot {
	case pinPublicKey.slot:
		return refusal(ReasonPinMismatch, r.path, "the key %x matches none of %d pins", sum, pins)
	case pinThumbprintSHA1.slot:
		return refusal(ReasonPinMismatch, r.path, "the certificate (SHA-1 %x) matches none of %d pins", sum, pins)
	}
	return refusal(ReasonPinMismatch, r.path, "the certificate matches none of %d pins", pins)
}

func (r *pinRule) describe(p *printer) {
	what := r.kind.what
	if r.origin != "" {
		what += " from " + r.origin
	}
	p.line("%s is one of %d", what, r.pins.Get().Len())
}

// compile makes a list of pins: certificates are the same if the SHA-256 of their DER is.
func (s certificateSet) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Certificates"
	list, _, err := s.certs(context.Background(), reload.Digest{})
	var digests [][]byte
	if err != nil {
		c.mistake(path, "%w", err)
	} else {
		for _, cert := range list {
			digests = append(digests, pinCertificate.hash(cert))
		}
	}
	c.defects.pinned(path, func() []*x509.Certificate { return list })
	return c.pinRule(pinCertificate, path, "", reload.Fixed(path, pins.Pack(pinCertificate.Size, digests)), at)
}
