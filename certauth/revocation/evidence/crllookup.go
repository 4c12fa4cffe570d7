package evidence

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// CRL is a verified CRL, kept as an exact index of its serial numbers: about as many bytes
// for an entry as its serial number has. The DER is not kept, nor are reasons and dates of
// revocations, except that a hold is told from a revocation for good. [ParseCRL] makes
// one; with [CRL.WithDelta] a delta CRL is laid over it. The zero value answers for no
// certificate.
//
// A CRL never changes and is safe for concurrent use.
type CRL struct {
	by    *x509.Certificate // whom it was parsed for: name, key and key identifier, nothing else
	key   [sha256.Size]byte // keySum of by
	base  index
	delta *Delta // nil if there is none
}

// ParseCRL verifies a complete CRL, in DER or as one PEM block, as one of issuer, which
// must come from a chain that has verified: structure, the issuer's name, the signature by
// issuer or one of o.CRLIssuers, and every entry and extension. Whether the list is fresh
// and covers a certificate depends on the moment and on the certificate: [CRL.Lookup]
// looks at both.
//
// Delta CRLs ([ErrCRLScope]) and indirect CRLs ([ErrIndirectCRL]) are refused. ParseCRL
// followed by Lookup comes to the same status and error as [VerifyCRL], except that Lookup
// makes sure of the issuer where the key identifiers differ.
func ParseCRL(der []byte, issuer *x509.Certificate, o VerifyOptions) (*CRL, error) {
	if issuer == nil || len(issuer.Raw) == 0 || o.Now.IsZero() {
		return nil, ErrArgument
	}
	l, by, err := openList(der, completeList, issuer, &o)
	if err != nil {
		return nil, err
	}
	base, err := newIndex(l, by)
	if err != nil {
		return nil, err
	}
	signer := &x509.Certificate{
		RawSubject: bytes.Clone(issuer.RawSubject), SubjectKeyId: bytes.Clone(issuer.SubjectKeyId),
		PublicKey: issuer.PublicKey, PublicKeyAlgorithm: issuer.PublicKeyAlgorithm,
	}
	return &CRL{by: signer, key: keySum(issuer), base: *base}, nil
}

// Lookup returns the status of cert in the list at the moment o.Now. The certificate must have
// been issued by the issuer that the list was parsed for: another name gives
// [ErrIssuerMismatch], and so does an authority key identifier that is not the issuer's, unless
// the issuer's key has signed the certificate. Otherwise that is for the caller to know, from a
// verified chain. Scope, freshness and covered reasons are checked as by [VerifyCRL], with the
// same errors.
func (l *CRL) Lookup(cert *x509.Certificate, o VerifyOptions) (Result, error) {
	s, err := NewSubject(cert)
	if err != nil {
		return Result{}, err
	}
	if l != nil && l.by != nil && len(l.by.SubjectKeyId) > 0 && len(cert.AuthorityKeyId) > 0 && !bytes.Equal(l.by.SubjectKeyId, cert.AuthorityKeyId) &&
		l.by.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		return Result{}, ErrIssuerMismatch
	}
	result, err := l.LookupSubject(&s, &o)
	if err != nil {
		return result.refused(err), err
	}
	return result, nil
}

// LookupSubject is Lookup for a certificate that the issuer has issued, which is for the caller
// to know. It allocates nothing unless it fails. With ErrCRLIncomplete the Result also has the
// times of the list, for callers that add up several.
func (l *CRL) LookupSubject(s *Subject, o *VerifyOptions) (Result, error) {
	if l == nil || o.Now.IsZero() {
		return Result{}, ErrArgument
	}
	if l.by == nil || !dn.Match(s.rawIssuer, l.by.RawSubject) {
		return Result{}, ErrIssuerMismatch
	}
	if s.isWitness(l.base.signerKey, l.key) {
		return Result{}, ErrOwnWitness
	}
	reasons, err := l.base.scope(s)
	if err != nil {
		return Result{}, err
	}
	at := l.base.find(s.serial)
	if l.delta != nil {
		return l.lookupWithDelta(at, reasons, s, o)
	}
	result, err := l.base.decide(at.finding(), reasons, s, o)
	if err != nil {
		return result, err
	}
	return rollBack(result, l.standing(), o.Previous)
}

// CheckNewer is [Edition.CheckNewer] of the two lists. A list with a delta is as new as the
// delta.
func (l *CRL) CheckNewer(next *CRL) error {
	if l == nil || next == nil {
		return ErrArgument
	}
	return l.Edition().CheckNewer(next.Edition())
}

// sameExtension tells an extension that is absent from an empty one.
func sameExtension(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// newest is the part that is as new as the whole.
func (l *CRL) newest() *index {
	if l.delta != nil {
		return &l.delta.index
	}
	return &l.base
}

func (l *CRL) standing() standing { return l.newest().standing() }

// ThisUpdate is when the list was issued; the delta, if there is one.
func (l *CRL) ThisUpdate() time.Time { return l.newest().thisUpdate }

// NextUpdate is when the next list is issued at the latest, zero if that is not said. With
// a delta it is the earlier of both.
func (l *CRL) NextUpdate() time.Time {
	next := l.base.nextUpdate
	if l.delta != nil && l.delta.hasNextUpdate && (!l.base.hasNextUpdate || l.delta.nextUpdate.Before(next)) {
		next = l.delta.nextUpdate
	}
	return next
}

// Number is the cRLNumber of the list, of the delta if there is one, or nil. The caller
// may change it.
func (l *CRL) Number() *big.Int {
	if number := l.newest().number; number != nil {
		return new(big.Int).Set(number)
	}
	return nil
}

// Entries is the number of entries, those of the delta included.
func (l *CRL) Entries() int {
	if l.delta != nil {
		return l.base.entries + l.delta.entries
	}
	return l.base.entries
}

// Size is about how many bytes of memory the list holds, those that it shares with the
// list it was made of by [CRL.WithDelta] included.
func (l *CRL) Size() int {
	size := len(l.by.RawSubject) + l.base.size()
	if l.delta != nil {
		size += l.delta.size()
	}
	return size
}

// Signer is the name of the signer, quoted, for logs.
func (l *CRL) Signer() string { return l.base.responder }

// SignedBy reports whether the certificate's own key has signed the list.
func (l *CRL) SignedBy(s *Subject) bool { return l.base.signerKey == s.key }

// Covers returns ErrCRLScope if the list is not for the certificate.
func (l *CRL) Covers(s *Subject) error {
	_, err := l.base.scope(s)
	return err
}

// NamesDelta reports whether the list says that delta CRLs are somewhere, whether or not they
// can be fetched.
func (l *CRL) NamesDelta() bool { return l.base.namesDelta }

// IsFresh reports whether the list, without its delta, counts for certificates of that kind.
func (l *CRL) IsFresh(isCA bool, o *VerifyOptions) bool {
	return l.base.staleness(SourceCRL, isCA, o) == fresh
}

// FreshestURLs returns where the list says that its delta CRLs are (RFC 5280, section
// 5.2.6): at most four http or https URLs. Everything else is left out, and so is
// everything if the extension cannot be read.
func (l *CRL) FreshestURLs() []string { return slices.Clone(l.base.freshest) }
