package revocation

import (
	"bytes"
	"crypto/x509"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// authority is one CA: a name and a key. All certificates with that name and key are the same
// authority, renewed or cross-signed.
type authority struct {
	key     string // of name and SubjectPublicKeyInfo
	name    string // nameKey
	isApart bool   // its anchor, which has its name, signs lists of it, too
	issuer  atomic.Pointer[x509.Certificate]
	signers atomic.Pointer[[]listSigner]
	adding  sync.Mutex                  // held while signers changes
	seen    atomic.Pointer[[]seenChain] // the chains that findSigners looked at, the latest first
}

// authorityKey is the same for every spelling of the name (RFC 5280, section 7.1).
func authorityKey(cert *x509.Certificate) string {
	return string(cert.RawSubjectPublicKeyInfo) + nameKey(cert.RawSubject) // not ambiguous, since DER begins with its length
}

func nameKey(name []byte) string {
	if key, err := dn.Fold(name); err == nil {
		return key
	}
	return string(name)
}

// isSameCA reports whether two certificates have the same name and key.
func isSameCA(one, other *x509.Certificate) bool {
	return one == other || bytes.Equal(one.RawSubjectPublicKeyInfo, other.RawSubjectPublicKeyInfo) && dn.Match(one.RawSubject, other.RawSubject)
}

// cert returns the certificate by which evidence is verified: the name, the key, and what the
// certificates seen so far say about them.
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

// record is what is remembered of one certificate below the anchor of one partner. It is found by
// authority, by partner, and by everything that the CA signed, compared in full. The signature is
// left out because anyone can rewrite an ECDSA signature, and a revoked certificate must not lose
// its record that way.
//
// A partner can certify another partner's CA. If both had one record of a certificate of that CA,
// all of its clients would depend on what the first one lets wait or fail.
type record struct {
	authority *authority
	partner   *partner
	who       evidence.Subject
	isCA      bool
	raw, tbs  []byte

	responders []responder
	lists      []*remoteList
	names      evidence.Pointers
	exempt     string

	// Where the table has it; the table's mutex guards both.
	hash uint64
	at   int

	// Everything below changes while requests read it.
	state atomic.Pointer[state]
	used  atomic.Int64 // Unix seconds

	flight  slot
	renewal slot // the refresh that is running or waits for its place

	// revoked is shared by the certificate's records: a permanent revocation that one has learned from what
	// counts below every anchor.
	revoked *atomic.Pointer[Result]
}

func (r *record) is(cert, issuer *x509.Certificate) bool {
	return bytes.Equal(r.tbs, cert.RawTBSCertificate) && isSameCA(r.authority.cert(), issuer)
}

// hidesRevocation reports whether another record of the certificate has learned a permanent revocation
// that the verdict does not contain.
func (r *record) hidesRevocation(v *verdict) bool {
	return r.revoked.Load() != nil && !v.result.RevokedForGood()
}

// follow takes over what the record of another partner knows about the same certificate. What
// failed there says nothing about what this partner's fetches would get.
func (r *record) follow(other *record) {
	r.revoked = other.revoked
	if r.authority != other.authority { // its lists may be signed by that one's anchor
		return
	}
	known := other.state.Load().knowledge
	known.failed = nil
	r.state.Store(&state{knowledge: known})
}

// touch notes that the record and its lists are in use.
func (r *record) touch(seconds int64) {
	if r.used.Load() == seconds {
		return
	}
	r.used.Store(seconds)
	for _, l := range r.lists {
		l.used.Store(seconds)
	}
}

// newRecord reads from the certificate all that its revocation depends on. It fetches nothing.
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
		authority: c.authorities.below(above[len(above)-1], issuer), partner: c.partners.of(above[len(above)-1]), who: who,
		isCA: cert.IsCA, raw: cert.Raw, tbs: cert.RawTBSCertificate, names: evidence.PointersOf(cert), revoked: &atomic.Pointer[Result]{},
	}
	r.state.Store(&state{})
	r.exempt = exemption(cert, r.names.Named, c.config.ShortLived)
	if !c.config.IgnoreCertificateURLs {
		r.lists = c.remote.of(r)
	}
	r.responders = c.respondersFor(r)
	return r, nil
}

// sourcesOf returns the kinds of source that can be queried about a certificate, and whether there is
// any. It depends on the known keys of the CA, because the operator may have lists signed by any of
// them; the generation changes with these keys.
func (c *Checker) sourcesOf(r *record) (sources Sources, some bool) {
	sources = c.config.Sources
	hasOCSP, hasLists := len(r.responders) > 0, len(r.lists) > 0 || c.local.serves(r.authority)
	takesBoth := sources == PreferOCSP || sources == PreferCRL
	switch { // without the kind for which there is no source
	case takesBoth && !hasLists:
		sources = OCSPOnly
	case takesBoth && !hasOCSP:
		sources = CRLOnly
	}
	return sources, sources != OCSPOnly && hasLists || sources != CRLOnly && hasOCSP
}

func (c *Checker) hasSource(r *record) bool {
	_, some := c.sourcesOf(r)
	return some
}

// sourceless says why no source can be queried: the certificate names none, or none that is used.
func (c *Checker) sourceless(r *record) error {
	names, step := &r.names, helpNobody
	if r.isCA {
		step = helpCA
	}
	left := append(slices.Clone(names.Responders), slices.Concat(names.Lists...)...)
	switch {
	case !names.Named:
		return advice.New(step, ErrNoSource, "the certificate names no OCSP responder and no CRL, and the Config none for its CA")
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

type responder struct {
	url        string
	configured bool
	trusted    []*x509.Certificate
}

// respondersFor returns the operator's responders, then those of the certificate.
func (c *Checker) respondersFor(of *record) []responder {
	var all []responder
	for _, r := range c.config.Responders {
		if r.Issuer == nil || isSameCA(of.authority.cert(), r.Issuer) {
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

// authorities finds the one authority for each name and key, as long as a record, a list or the Config
// refers to it. It refers to no Checker, because until an authority is collected its cleanup keeps
// what it refers to.
type authorities struct {
	mu  sync.Mutex
	all map[string]weak.Pointer[authority]
}

func (a *authorities) intern(cert *x509.Certificate) *authority { return a.apart("", cert) }

// below is intern for a CA in a chain. If the anchor has the CA's name and another key, it signs lists of the
// CA, but only for certificates below itself: such a CA is another one than below other anchors.
func (a *authorities) below(anchor, cert *x509.Certificate) *authority {
	if dn.Match(anchor.RawSubject, cert.RawSubject) && !isSameCA(anchor, cert) {
		return a.apart(authorityKey(anchor), cert)
	}
	return a.intern(cert)
}

func (a *authorities) apart(anchor string, cert *x509.Certificate) *authority {
	key := authorityKey(cert)
	a.mu.Lock()
	defer a.mu.Unlock()
	name := anchor + key
	known := a.all[name].Value()
	if known == nil {
		if a.all == nil {
			a.all = map[string]weak.Pointer[authority]{}
		}
		known = &authority{key: key, name: nameKey(cert.RawSubject), isApart: anchor != ""}
		known.issuer.Store(cert)
		known.signers.Store(&[]listSigner{})
		a.all[name] = weak.Make(known)
		runtime.AddCleanup(known, a.forget, name)
	}
	known.meet(cert)
	return known
}

func (a *authorities) list() (all []*authority) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.all {
		if known := one.Value(); known != nil {
			all = append(all, known)
		}
	}
	return all
}

// forget removes an authority that is no longer used, unless there is another one for its key by now.
func (a *authorities) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all[key].Value() == nil {
		delete(a.all, key)
	}
}

// unnamed returns the hosts of the sources that the text does not contain.
func (r *record) unnamed(text string) (hosts []string) {
	for _, source := range r.sources() {
		if u, err := url.Parse(source); err == nil && !strings.Contains(text, u.Host) && !slices.Contains(hosts, u.Host) {
			hosts = append(hosts, u.Host)
		}
	}
	return hosts
}

func (r *record) sources() (urls []string) {
	for _, to := range r.responders {
		urls = append(urls, to.url)
	}
	for _, l := range r.lists {
		urls = append(urls, l.urls...)
	}
	return urls
}
