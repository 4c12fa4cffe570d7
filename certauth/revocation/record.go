package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

const (
	maxResponders = 3 // URLs of one certificate that are looked at
	maxPoints     = 4
)

// authority is one CA: a name and a key. Copies of its certificate, renewed or
// cross-signed, are the same authority.
type authority struct {
	key    string // of name and SubjectPublicKeyInfo
	name   string // nameKey
	issuer atomic.Pointer[x509.Certificate]
	kin    atomic.Pointer[[]kin]
	above  atomic.Pointer[x509.Certificate] // what meetKin has looked at last
}

// authorityKey is the same for every spelling of the name (RFC 5280, section 7.1).
func authorityKey(cert *x509.Certificate) string {
	return string(cert.RawSubjectPublicKeyInfo) + nameKey(cert.RawSubject) // DER: the first says where it ends
}

func nameKey(name []byte) string {
	if key, err := dn.Fold(name); err == nil {
		return key
	}
	return string(name)
}

func (a *authority) is(cert *x509.Certificate) bool {
	own := a.cert()
	return own == cert || equal(own.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) && dn.Match(own.RawSubject, cert.RawSubject)
}

// cert is what evidence is verified by: the name and the key, and what the certificates
// seen so far say about them.
func (a *authority) cert() *x509.Certificate { return a.issuer.Load() }

// meet takes another certificate of the CA into account. Any other CA can write one, with
// whatever key usage and key identifier, and needs nothing for it but the public key. So a
// usage that one of them allows is allowed, and where the identifiers differ, which are
// hints anyway, none is compared: else a hostile copy would make true evidence fail.
func (a *authority) meet(cert *x509.Certificate) {
	for {
		own := a.cert()
		if own == cert {
			return
		}
		usage, id := own.KeyUsage|cert.KeyUsage, own.SubjectKeyId
		limited := hasKeyUsage(own)
		lifts := limited && !hasKeyUsage(cert) // no extension, no limit
		if !equal(id, cert.SubjectKeyId) {
			id = nil
		}
		if (!limited || usage == own.KeyUsage && !lifts) && len(id) == len(own.SubjectKeyId) {
			return
		}
		both := *own
		both.SubjectKeyId = id
		if limited {
			both.KeyUsage = usage
		}
		if lifts {
			both.KeyUsage, both.Extensions = 0, slices.DeleteFunc(slices.Clone(own.Extensions), isKeyUsage)
		}
		if a.issuer.CompareAndSwap(own, &both) {
			return
		}
	}
}

// record is what is remembered of one certificate. It is found by authority, serial number
// and everything that the CA signed, compared in full; the signature itself is left out,
// because an ECDSA signature can be rewritten by anybody and a revoked certificate must not
// shed its past that way.
type record struct {
	next      *record // of the same hash
	authority *authority
	partner   *partner
	who       subject
	key       [sha256.Size]byte // keySum of the issuer
	raw, tbs  []byte

	responders []responder
	lists      []*remoteList
	names      bool   // somebody to ask, whether or not that can be used
	unused     string // what it names that cannot be asked, in words
	exempt     string

	// Everything below changes while requests read it.
	plan    atomic.Pointer[plan]
	state   atomic.Pointer[state]
	used    atomic.Int64 // Unix seconds
	evicted atomic.Bool
	// renewal is the refresh that waits for its place or is under way.
	renewal atomic.Pointer[flight]

	mu     sync.Mutex
	flight *flight
}

// plan is who can be asked about a certificate. It depends on the keys that are known of its CA:
// the operator may have lists of any of them.
type plan struct {
	sources  Sources
	noSource error    // why nobody can be asked, nil if somebody can
	fixed    *verdict // where nothing can change it, nil for most
	kin      int      // how many further keys were known
}

// isOutdated reports whether another key of the CA has been met since the plan was made.
func (r *record) isOutdated() bool { return len(r.authority.kinNow()) != r.plan.Load().kin }

func (r *record) is(cert, issuer *x509.Certificate) bool {
	return bytes.Equal(r.tbs, cert.RawTBSCertificate) && r.authority.is(issuer)
}

// touch says that the record is in use.
func (r *record) touch(seconds int64) {
	if r.used.Load() == seconds {
		return
	}
	r.used.Store(seconds)
	for _, l := range r.lists {
		l.used.Store(seconds)
	}
}

// newRecord reads from the certificate what its revocation depends on. It fetches nothing.
func (c *Checker) newRecord(cert *x509.Certificate, above []*x509.Certificate, by *partner) (*record, error) {
	issuer := above[0]
	if !dn.Match(cert.RawIssuer, issuer.RawSubject) {
		return nil, ErrIssuerMismatch
	}
	who, err := newSubject(cert)
	if err == nil && c.config.Sources != OCSPOnly {
		err = who.pointsErr
	}
	if err != nil {
		return nil, err
	}
	r := &record{
		authority: c.authorities.intern(issuer), partner: by, who: who, raw: cert.Raw, tbs: cert.RawTBSCertificate,
		key: keySum(issuer), names: hasPointers(cert), unused: unusedPointers(cert),
	}
	c.meetKin(r.authority, above)
	r.exempt = exemption(cert, r.names, c.config.ShortLived)
	if !c.config.IgnoreCertificateURLs {
		r.lists = c.remote.of(r.authority, cert, who.points)
	}
	r.responders = c.respondersFor(cert, r.authority)
	c.makePlan(r, cert)
	return r, nil
}

// makePlan looks for who can be asked now. A verdict that rests on the plan before holds no more.
func (c *Checker) makePlan(r *record, cert *x509.Certificate) {
	next := plan{kin: len(r.authority.kinNow())}
	var none bool
	if next.sources, none = effective(c.config.Sources, len(r.responders) > 0, len(r.lists) > 0 || c.local.serves(r.authority)); none {
		next.noSource = c.sourceless(cert, r.unused)
	}
	switch {
	case r.exempt != "":
		next.fixed = &verdict{result: Result{Status: NotApplicable, Reason: ReasonUnspecified}, settled: true}
	case next.noSource != nil:
		next.fixed = &verdict{settled: true, err: next.noSource}
	}
	if old := r.plan.Swap(&next); old != nil && old.sources != next.sources {
		c.generation.Add(1)
	}
}

// effective is the order without what the certificate has no source of. With one of two
// that are both required it cannot be good, but what the one says against it is heard.
func effective(wanted Sources, ocsp, lists bool) (sources Sources, none bool) {
	switch wanted {
	case PreferOCSP, PreferCRL:
		switch {
		case !lists:
			return OCSPOnly, !ocsp
		case !ocsp:
			return CRLOnly, false
		}
	case OCSPOnly:
		return wanted, !ocsp
	case CRLOnly:
		return wanted, !lists
	case RequireBoth:
		return wanted, !ocsp && !lists
	}
	return wanted, false
}

// responder is where to ask by OCSP.
type responder struct {
	url        string
	configured bool
	trusted    []*x509.Certificate
}

// respondersFor lists the operator's, then those of the certificate.
func (c *Checker) respondersFor(cert *x509.Certificate, by *authority) []responder {
	var all []responder
	for _, r := range c.config.Responders {
		if r.Issuer == nil || by.is(r.Issuer) {
			all = append(all, responder{url: r.URL, configured: true, trusted: r.Trusted})
		}
	}
	if c.config.IgnoreCertificateURLs {
		return all
	}
	for _, url := range usableURLs(cert.OCSPServer, maxResponders) {
		all = append(all, responder{url: url})
	}
	return all
}

// usableURLs keeps what is http or https.
func usableURLs(urls []string, most int) []string {
	var usable []string
	for _, one := range urls {
		if whyUnusable(one) != "" {
			continue
		}
		if len(usable) == most {
			break
		}
		usable = append(usable, one)
	}
	return usable
}

// pointURLs is the URLs of each distribution point, alternatives of one another.
func pointURLs(points []distributionPoint) [][]string {
	var all [][]string
	for _, point := range points {
		var uris []string
		for _, name := range point.names {
			if uri, ok := httpURL(name); ok {
				uris = append(uris, uri)
			}
		}
		if uris = usableURLs(uris, maxPoints); len(uris) > 0 {
			all = append(all, uris)
		}
		if len(all) == maxPoints {
			break
		}
	}
	return all
}

// authorities keeps one of each.
type authorities struct {
	mu  sync.Mutex
	all map[string]*authority
}

const maxAuthorities = 4096

func (a *authorities) intern(cert *x509.Certificate) *authority {
	key := authorityKey(cert)
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.all[key]
	if known == nil {
		if a.all == nil || len(a.all) >= maxAuthorities {
			a.all = map[string]*authority{} // records keep theirs; nothing is found by its address
		}
		known = &authority{key: key, name: nameKey(cert.RawSubject)}
		known.issuer.Store(cert)
		a.all[key] = known
	}
	known.meet(cert)
	return known
}
