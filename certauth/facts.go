package certauth

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/factcache"
	"github.com/seed2886b8ae/go-certauth/internal/san"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// facts holds the known properties of one presented certificate. They depend on its bytes, and on
// the trust material that each answer names, but never on the request. Policies judge the facts
// for every request; a decision is never part of them.
//
// No slice or map here is shared with users: what they write to an [Identity] does not reach it.
// Only the certificates are shared, and nobody may change them.
type facts struct {
	factcache.Slot           // its Key is nil if these facts cannot be remembered
	room           [1]string // backs the key if it is one text, as usual, to save a memory access
	owned          bool      // the key is a copy; guarded by mutex

	// The fields that every cache hit reads are together. With a thousand callers, most of the time
	// of a hit goes into fetching them from memory, and the certificate itself is large.
	isCA, forClients, forServers bool            // of the leaf; the latter two by its extended key usage
	fault                        certcheck.Fault // of the leaf, under every anchor
	answers                      chainAnswers
	identity                     atomic.Pointer[Identity] // of the last request; the next one with the same outcome shares it
	leaf                         *x509.Certificate
	alt                          [altKinds]atomic.Pointer[altKeys] // nil until needed
	sums                         certSums
	notBefore, notAfter          time.Time // of the leaf

	presented sentCertificates
	source    *source.Reader            // reads the key; nil if the key is DER
	parsed    atomic.Pointer[certNames] // nil when these facts are remembered, until needed again
	issuer    atomic.Pointer[parsedName]
	issuerKey atomic.Pointer[string]          // of the leaf's issuer; nil until needed
	sentKeys  atomic.Pointer[[]string]        // of the issuers of the CAs that were sent along
	named     atomic.Pointer[CertificateInfo] // nil until an event or a log record needs it
	asked     atomic.Pointer[askedExtension]  // that a rule has read last

	mutex sync.Mutex // guards writes of answers, and the copying of the key
}

// newFactCache returns nil for a negative size, so that nothing is remembered.
func newFactCache(size int) *factcache.Cache[facts, *facts] {
	return factcache.New(size, func(a, b *facts) bool { return a.leaf != nil && a.leaf.Equal(b.leaf) })
}

// certSums holds the digests of one certificate, each computed when first asked for.
type certSums [pinKinds]atomic.Pointer[digest]

// digest has room for the longest one. Its length is that of the kind.
type digest [sha256.Size]byte

// of returns the digest that pins of this kind list, or nil if it cannot be computed.
func (s *certSums) of(kind *pinKind, cert *x509.Certificate) []byte {
	known := s[kind.slot].Load()
	if known == nil {
		sum := kind.hash(cert)
		if len(sum) != kind.Size {
			return nil
		}
		known = (*digest)(append(make([]byte, 0, len(digest{})), sum...)[:len(digest{})])
		s[kind.slot].Store(known)
	}
	return known[:kind.Size]
}

// parsedName is a distinguished name of a certificate.
type parsedName struct {
	name     dn.Name
	err      error
	prepared atomic.Pointer[dn.Prepared] // nil until needed
}

// issuerOf parses the issuer of a certificate once.
func issuerOf(slot *atomic.Pointer[parsedName], cert *x509.Certificate) *parsedName {
	known := slot.Load()
	if known == nil {
		known = &parsedName{}
		known.name, known.err = dn.Parse(cert.RawIssuer)
		slot.Store(known)
	}
	return known
}

// prepare returns the name for comparisons with excluded names.
func (n *parsedName) prepare() dn.Prepared { return *remembered(&n.prepared, n.name.Prepare) }

// remembered returns what the place holds. If it is empty, it makes it.
func remembered[T any](place *atomic.Pointer[T], compute func() T) *T {
	if known := place.Load(); known != nil {
		return known
	}
	made := compute()
	place.Store(&made)
	return &made
}

// newFacts checks the certificates of a source before any policy does: counts and sizes first,
// then the form that every certificate must have.
func newFacts(presented []*x509.Certificate) (*facts, *Error) {
	if len(presented) > maxCertificates {
		return nil, refusal(ReasonCertificateMalformed, "Source", "%d certificates, want at most %d", len(presented), maxCertificates)
	}
	presented, at, err := usable(presented)
	if err != nil {
		refused := refusal(ReasonCertificateMalformed, "Source", "certificate %d: %w", at, err)
		if unfit, ok := errors.AsType[*formError](err); ok {
			refused.Hint = unfit.hint
		}
		return nil, refused
	}
	leaf := presented[0]
	subject, err := dn.Parse(leaf.RawSubject)
	if err != nil {
		return nil, refusal(ReasonCertificateMalformed, "Source", "subject: %w", err).
			withHint("the header is correct, but the subject of the certificate cannot be read; ask the CA for a new certificate")
	}
	alt, err := san.Of(leaf)
	if err != nil {
		return nil, refusal(ReasonCertificateMalformed, "Source", "%w", err).
			withHint("the header is correct, but the alternative names of the certificate cannot be read; ask the CA for a new certificate")
	}
	f := &facts{
		leaf: leaf, notBefore: leaf.NotBefore, notAfter: leaf.NotAfter, fault: certcheck.FaultOfLeaf(leaf),
		isCA: leaf.IsCA, forClients: certcheck.IsForClients(leaf, false), forServers: certcheck.IsForClients(leaf, true),
	}
	f.parsed.Store(&certNames{subject: parsedName{name: subject}, alt: alt})
	f.presented.held.Store(newSent(presented...))
	return f, nil
}

// recognisable reports whether the offer may be looked up in the cache. An offer that is too large
// or was never parsed is not even compared.
func recognisable(offer *source.Offer) bool {
	if len(offer.Certificates) > maxCertificates {
		return false
	}
	beside := 0
	for i, cert := range offer.Certificates {
		if cert == nil || len(cert.Raw) == 0 || len(cert.Raw) > maxCertificateSize {
			return false
		}
		if i > 0 {
			beside += len(cert.Raw)
		}
	}
	return beside <= maxSentAlong
}

// own makes the key a copy, once: other requests may use it because the facts were in the cache
// before.
func (f *facts) own() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if !f.owned {
		f.Key, f.owned = f.Key.CloneTo(f.room[:]), true
	}
}

// memorable reports whether the facts may be remembered under the key: it must be small, and the
// leaf and the members of its chains must agree with their DER. A source that returns parsed
// certificates can have changed them, but the next request is recognised by the DER alone.
// Certificates that are part of no chain are read from the DER again.
func (f *facts) memorable(k source.Key) bool {
	if k.Size() > maxSentAlong+2*len(f.leaf.Raw) { // text is longer than DER
		return false
	}
	if f.source != nil {
		return true
	}
	for i, cert := range f.sent().certs {
		if i > 0 && !f.uses(cert) {
			continue
		}
		parsed, err := x509.ParseCertificate(cert.Raw)
		if err != nil || !reflect.DeepEqual(parsed, cert) {
			return false
		}
	}
	return true
}
