//go:build linux

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// domain is the parent domain of all responders and distribution points. It exists only in the
// program's own name server.
const domain = ".soak.test"

// authority is a CA of a partner with its responder and its lists.
type authority struct {
	name    string
	partner int
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	above   *authority // nil for a root
	port    int        // of nginx
	names   string     // the only kind of source that its clients' certificates name; empty means both
	clock   *clock

	mu        sync.Mutex
	revoked   map[string]time.Time
	published []list // bases, oldest first
	answers   map[string][][]byte
}

// list is a published base CRL.
type list struct {
	at  time.Time
	der []byte
}

var serials atomic.Int64

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return key
}

// newAuthority creates a root, or a CA below one.
func newAuthority(name string, partner, port int, above *authority, clock *clock) *authority {
	a := &authority{
		name: name, partner: partner, port: port, clock: clock, above: above, key: newKey(),
		revoked: map[string]time.Time{}, answers: map[string][][]byte{},
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Soak " + name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a.cert = a.signer().sign(template, a.key.Public())
	return a
}

func (a *authority) signer() *authority {
	if a.above != nil {
		return a.above
	}
	return a
}

// sign completes and signs a certificate, including the addresses of the issuer's responder and
// lists.
func (a *authority) sign(template *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	template.SerialNumber = big.NewInt(0x1000_0000 + serials.Add(1))
	template.NotBefore, template.NotAfter = a.clock.shows.Add(-24*time.Hour), a.clock.shows.Add(60*24*time.Hour)
	parent := a.cert
	if parent == nil {
		parent = template // self-signed
	}
	if a.cert != nil && (template.IsCA || a.names != "crl") {
		template.OCSPServer = []string{a.url("ocsp", "")}
	}
	if a.cert != nil && (template.IsCA || a.names != "ocsp") {
		template.CRLDistributionPoints = []string{a.url("crl", "base.crl")}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	must(err)
	cert, err := x509.ParseCertificate(der)
	must(err)
	return cert
}

// issue creates a client certificate.
func (a *authority) issue(name string) tls.Certificate {
	key := newKey()
	cert := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key.Public())
	return tls.Certificate{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert}
}

// host returns the host name of the responder ("ocsp") or of the lists ("crl").
func (a *authority) host(kind string) string { return kind + "." + a.name + domain }

func (a *authority) url(kind, path string) string {
	return "http://" + net.JoinHostPort(a.host(kind), strconv.Itoa(a.port)) + "/" + path
}

func (a *authority) revoke(serial *big.Int) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.clock.now()
	a.revoked[serial.String()] = at
	return at
}

// edition describes how a piece of evidence differs from an honest one.
type edition struct {
	late    time.Duration // how much later than now it was made
	life    time.Duration // 0: the usual one
	key     *ecdsa.PrivateKey
	unknown bool
	serial  *big.Int // that of another certificate
	gap     int64    // added to the base's number to give the number that a delta claims to continue
}

// answer signs an OCSP answer. It stores honest answers for later replay.
func (a *authority) answer(id ocsptest.CertID, serial *big.Int, as edition) []byte {
	at := a.clock.now().Add(as.late)
	a.mu.Lock()
	revokedAt, isRevoked := a.revoked[serial.String()]
	a.mu.Unlock()
	status := ocsptest.StatusGood
	switch {
	case as.unknown:
		status = ocsptest.StatusUnknown
	case isRevoked:
		status = ocsptest.StatusRevoked(ocsptest.At(revokedAt), 1)
	}
	if as.serial != nil {
		id.Serial = ocsptest.Integer(as.serial)
	}
	key, life := a.key, answerLife
	if as.key != nil {
		key = as.key
	}
	if as.life != 0 {
		life = as.life
	}
	der, err := ocsptest.Response{
		Responder: ocsptest.ByName(a.cert.RawSubject), ProducedAt: ocsptest.At(at), Key: key,
		Answers: []ocsptest.Answer{{ID: id, Status: status, ThisUpdate: ocsptest.At(at), NextUpdate: ocsptest.At(at.Add(life))}},
	}.Encode()
	must(err)
	if as == (edition{}) {
		a.mu.Lock()
		defer a.mu.Unlock()
		key := serial.String()
		a.answers[key] = append(a.answers[key], der)
		a.answers[key] = a.answers[key][max(0, len(a.answers[key])-8):]
	}
	return der
}

// replayed returns the oldest stored answer about a certificate, or nil.
func (a *authority) replayed(serial *big.Int) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.answers[serial.String()]; len(known) > 0 {
		return known[0]
	}
	return nil
}

// base returns the newest list, after publishing a new one if it is due.
func (a *authority) base() list {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.clock.now()
	if n := len(a.published); n == 0 || at.Sub(a.published[n-1].at) >= listEvery {
		a.published = append(a.published, list{at, a.encode(at, listLife, a.key, ocsptest.FreshestCRL(ocsptest.Point(ocsptest.FullName(ocsptest.URI(a.url("crl", "delta.crl"))))))})
		a.published = a.published[max(0, len(a.published)-8):]
	}
	return a.published[len(a.published)-1]
}

// oldBase returns the oldest stored list.
func (a *authority) oldBase() list {
	newest := a.base()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.published) > 0 {
		return a.published[0]
	}
	return newest
}

// forged returns a list that differs from an honest one.
func (a *authority) forged(as edition) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := a.key
	if as.key != nil {
		key = as.key
	}
	return a.encode(a.clock.now().Add(as.late), as.life, key)
}

// delta returns the newest delta of the newest base.
func (a *authority) delta(as edition) []byte {
	base := a.base()
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.clock.now().Truncate(deltaEvery)
	if at.Before(base.at) {
		at = base.at
	}
	return a.encode(at, deltaLife, a.key, ocsptest.DeltaIndicator(base.at.Unix()+as.gap))
}

// encode signs a list of everything that was revoked by that time. The list's number is its time.
func (a *authority) encode(at time.Time, life time.Duration, key *ecdsa.PrivateKey, more ...ocsptest.Extension) []byte {
	l := ocsptest.List{
		Issuer: a.cert.RawSubject, ThisUpdate: ocsptest.UTCAt(at), NextUpdate: ocsptest.UTCAt(at.Add(life)), Key: key,
		Extensions: append([]ocsptest.Extension{ocsptest.AuthorityKeyID(a.cert.SubjectKeyId), ocsptest.CRLNumber(at.Unix())}, more...),
	}
	for serial, revokedAt := range a.revoked {
		if revokedAt.After(at) {
			continue
		}
		n, _ := new(big.Int).SetString(serial, 10)
		l.Entries = append(l.Entries, ocsptest.Entry{
			Serial: ocsptest.Integer(n), RevokedAt: ocsptest.UTCAt(revokedAt), Extensions: []ocsptest.Extension{ocsptest.ReasonCode(1)},
		})
	}
	der, err := l.Encode()
	must(err)
	return der
}

// must panics on errors that do not occur on a working machine.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
