package evidence

import (
	"bytes"
	"crypto/x509"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// CRL is a verified CRL, kept as an exact index of its serial numbers. An entry takes about as
// many bytes as its serial number has. The DER is not kept, and neither are reasons and dates of
// revocations, except that a hold is distinguished from a permanent revocation. [ParseCRL] makes
// one; [CRL.WithDelta] combines it with a delta CRL. The zero value covers no certificate.
//
// A CRL is immutable and safe for concurrent use.
type CRL struct {
	by    *x509.Certificate // the issuer: only name, key and key identifier
	base  index
	delta *Delta // nil if there is none
}

// ParseCRL verifies a complete CRL of issuer, in DER or as one PEM block. issuer must come from a
// chain that has been verified. ParseCRL checks structure, the issuer's name, the signature by
// issuer or one of o.CRLIssuers, and every entry and extension. Whether the list is fresh and
// covers a certificate depends on the time and on the certificate: [CRL.Lookup] checks both.
//
// Delta CRLs ([ErrCRLScope]) and indirect CRLs ([ErrIndirectCRL]) are refused. ParseCRL followed
// by Lookup gives the same status and error as [VerifyCRL], except that Lookup verifies the
// issuer if the key identifiers differ, and that to it a list has expired ([ErrNotFresh]) when the
// certificate of a signer among o.CRLIssuers has.
func ParseCRL(der []byte, issuer *x509.Certificate, o VerifyOptions) (*CRL, error) {
	l, err := openList(der, false, issuer, &o)
	if err != nil {
		return nil, err
	}
	base, err := newIndex(l)
	if err != nil {
		return nil, err
	}
	signer := &x509.Certificate{
		RawSubject: bytes.Clone(issuer.RawSubject), SubjectKeyId: bytes.Clone(issuer.SubjectKeyId),
		PublicKey: issuer.PublicKey, PublicKeyAlgorithm: issuer.PublicKeyAlgorithm, RawSubjectPublicKeyInfo: bytes.Clone(issuer.RawSubjectPublicKeyInfo),
	}
	return &CRL{by: signer, base: *base}, nil
}

// Lookup returns the status of cert in the list at the time o.Now. The certificate must have been
// issued by the issuer for which the list was parsed: another name gives [ErrIssuerMismatch], and
// so does an authority key identifier that is not the issuer's, unless the issuer's key has
// signed the certificate. Apart from that, the caller must know the issuer from a verified chain.
// Lookup checks scope, freshness and covered reasons like [VerifyCRL], with the same errors.
func (l *CRL) Lookup(cert *x509.Certificate, o VerifyOptions) (Result, error) {
	s, err := newSubject(cert, l != nil && l.base.point != nil && l.base.point.hasPoint)
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

// LookupSubject is Lookup for a certificate that is known to be issued by the issuer. It does not
// allocate unless it fails. With ErrCRLIncomplete the Result also has the times of the list, for
// callers that combine several lists.
func (l *CRL) LookupSubject(s *Subject, o *VerifyOptions) (Result, error) {
	if l == nil || o.Now.IsZero() {
		return Result{}, ErrArgument
	}
	if l.by == nil || !dn.Match(s.rawIssuer, l.by.RawSubject) {
		return Result{}, ErrIssuerMismatch
	}
	reasons, err := l.base.scope(s, l.by)
	if err != nil {
		return Result{}, err
	}
	at := l.base.find(s.serial)
	if l.delta != nil {
		return l.lookupWithDelta(at, reasons, s, o)
	}
	result, err := l.base.decide(at, reasons, s, o)
	if err != nil {
		return result, err
	}
	return rollBack(result, l.base.Edition, o.Previous)
}

// CheckNewer is [Edition.CheckNewer] for the two lists. A list with a delta is as new as that.
func (l *CRL) CheckNewer(next *CRL) error {
	if l == nil || next == nil {
		return ErrArgument
	}
	return l.Edition().CheckNewer(next.Edition())
}

// sameExtension distinguishes an absent extension from an empty one.
func sameExtension(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// newest returns the part that determines how new the whole is.
func (l *CRL) newest() *index {
	if l.delta != nil {
		return &l.delta.index
	}
	return &l.base
}

// ThisUpdate returns the time at which the list, or its delta if there is one, was issued.
func (l *CRL) ThisUpdate() time.Time { return l.newest().ThisUpdate }

// NextUpdate returns the time by which the next list will be issued, or zero if the list does not
// say. With a delta it is the earlier of the two.
func (l *CRL) NextUpdate() time.Time {
	if l.delta == nil {
		return l.base.NextUpdate
	}
	return earlier(l.base.NextUpdate, l.delta.NextUpdate)
}

// Entries returns the number of entries, including those of the delta.
func (l *CRL) Entries() int {
	if l.delta != nil {
		return l.base.entries + l.delta.entries
	}
	return l.base.entries
}

// Size returns the approximate memory that the list takes, in bytes, including the memory that it
// shares with the list from which [CRL.WithDelta] made it.
func (l *CRL) Size() int {
	size := len(l.by.RawSubject) + len(l.by.RawSubjectPublicKeyInfo) + l.base.size()
	if l.delta != nil {
		size += l.delta.size()
	}
	return size
}

// Signer returns the name of the signer, quoted, for logs.
func (l *CRL) Signer() string { return l.base.responder }

// Scope identifies the key that has signed the list and its issuing distribution point. A CA may have
// a list for each of its keys and points.
func (l *CRL) Scope() string { return l.base.scopeKey() }

func (x *index) scopeKey() string { return string(x.signerKey) + string(x.pointDER) }

// Covers returns ErrCRLScope if the list does not cover the certificate.
func (l *CRL) Covers(s *Subject) error {
	_, err := l.base.reasonsFor(s)
	return err
}

// IsElsewhere reports whether the list is limited to a distribution point that the certificate does not name.
func (l *CRL) IsElsewhere(s *Subject) bool {
	_, err := l.base.reasonsFor(s)
	return errors.Is(err, errOtherPoint)
}

// Equal reports whether both lists, with their deltas, are the same.
func (l *CRL) Equal(other *CRL) bool {
	return reflect.DeepEqual(l.base, other.base) && reflect.DeepEqual(l.delta, other.delta)
}

// NamesDelta reports whether the list says that delta CRLs exist, even if none can be fetched.
func (l *CRL) NamesDelta() bool { return l.base.namesDelta }

// IsFresh reports whether the list, without its delta, is fresh at the time o.Now: for CA
// certificates if isCA is set, and for end-entity certificates otherwise.
func (l *CRL) IsFresh(isCA bool, o *VerifyOptions) bool {
	return l.base.staleness(SourceCRL, isCA, o) == fresh
}

// FreshestURLs returns the URLs of the delta CRLs that the list names (RFC 5280, section 5.2.6):
// at most four http or https URLs. Other names are omitted, and there are none if the extension
// cannot be read.
func (l *CRL) FreshestURLs() []string { return slices.Clone(l.base.freshest) }
