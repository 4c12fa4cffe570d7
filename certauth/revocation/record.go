package revocation

import (
	"bytes"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
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
	return own == cert || bytes.Equal(own.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) && dn.Match(own.RawSubject, cert.RawSubject)
}

// cert is what evidence is verified by: the name and the key, and what the certificates
// seen so far say about them.
func (a *authority) cert() *x509.Certificate { return a.issuer.Load() }

// meet takes another certificate of the CA into account.
func (a *authority) meet(cert *x509.Certificate) {
	for {
		own := a.cert()
		if own == cert {
			return
		}
		if both := evidence.MergeIssuers(own, cert); both == own || a.issuer.CompareAndSwap(own, both) {
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
	who       evidence.Subject
	raw, tbs  []byte

	responders []responder
	lists      []*remoteList
	names      evidence.Pointers
	exempt     string

	// Everything below changes while requests read it.
	plan  atomic.Pointer[plan]
	state atomic.Pointer[state]
	used  atomic.Int64 // Unix seconds
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
func (c *Checker) newRecord(cert *x509.Certificate, above []*x509.Certificate) (*record, error) {
	issuer := above[0]
	if !dn.Match(cert.RawIssuer, issuer.RawSubject) {
		return nil, ErrIssuerMismatch
	}
	who, err := evidence.NewSubject(cert)
	if err == nil && c.config.Sources != OCSPOnly {
		err = who.PointsErr()
	}
	if err != nil {
		return nil, err
	}
	r := &record{
		authority: c.authorities.intern(issuer), partner: c.partners.of(above[len(above)-1]), who: who,
		raw: cert.Raw, tbs: cert.RawTBSCertificate, names: evidence.PointersOf(cert),
	}
	c.meetKin(r.authority, above)
	r.exempt = exemption(cert, r.names.Named, c.config.ShortLived)
	if !c.config.IgnoreCertificateURLs {
		r.lists = c.remote.of(r.authority, &r.who, &r.names)
	}
	r.responders = c.respondersFor(r)
	c.makePlan(r)
	return r, nil
}

// makePlan looks for who can be asked now. A verdict that rests on the plan before holds no more.
func (c *Checker) makePlan(r *record) {
	next := plan{kin: len(r.authority.kinNow()), sources: c.config.Sources}
	hasOCSP, hasLists := len(r.responders) > 0, len(r.lists) > 0 || c.local.serves(r.authority)
	takesBoth := next.sources == PreferOCSP || next.sources == PreferCRL
	switch { // without what the certificate has no source of
	case takesBoth && !hasLists:
		next.sources = OCSPOnly
	case takesBoth && !hasOCSP:
		next.sources = CRLOnly
	}
	if next.sources == OCSPOnly && !hasOCSP || next.sources == CRLOnly && !hasLists {
		next.noSource = c.sourceless(&r.names)
	}
	switch {
	case r.exempt != "":
		next.fixed = &verdict{result: Result{Status: NotApplicable, Reason: evidence.ReasonUnspecified}, settled: true}
	case next.noSource != nil:
		next.fixed = &verdict{settled: true, err: next.noSource}
	}
	if old := r.plan.Swap(&next); old != nil && old.sources != next.sources {
		c.generation.Add(1)
	}
}

// sourceless says why nobody can be asked about a certificate: it names nobody, or nobody who
// is used.
func (c *Checker) sourceless(names *evidence.Pointers) error {
	left := append(slices.Clone(names.Responders), slices.Concat(names.Lists...)...)
	switch {
	case !names.Named:
		return advice.New(helpNobody, ErrNoSource, "the certificate names no OCSP responder and no CRL, and the Config none for its CA")
	case len(left) == 0:
		return advice.New(helpPointers, ErrNoSource, "the certificate names %s", names.Unused)
	}
	setting := "CRLOnly"
	switch {
	case c.config.IgnoreCertificateURLs:
		setting = "IgnoreCertificateURLs"
	case c.config.Sources == OCSPOnly:
		setting = "OCSPOnly"
	}
	return advice.New(helpPointers, ErrNoSource, "the certificate names %s, and %s leaves that out", logtext.List(left), setting)
}

// responder is where to ask by OCSP.
type responder struct {
	url        string
	configured bool
	trusted    []*x509.Certificate
}

// respondersFor lists the operator's, then those of the certificate.
func (c *Checker) respondersFor(of *record) []responder {
	var all []responder
	for _, r := range c.config.Responders {
		if r.Issuer == nil || of.authority.is(r.Issuer) {
			all = append(all, responder{url: r.URL, configured: true, trusted: r.Trusted})
		}
	}
	if c.config.IgnoreCertificateURLs {
		return all
	}
	for _, url := range of.names.Responders {
		all = append(all, responder{url: url})
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

// sources are the URLs that are asked about the certificate.
func (r *record) sources() (urls []string) {
	for _, to := range r.responders {
		urls = append(urls, to.url)
	}
	for _, l := range r.lists {
		urls = append(urls, l.urls...)
	}
	return urls
}
