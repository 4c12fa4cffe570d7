package main

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// authority is a CA of the partner: a root that signs an issuing CA, and their publications about
// revoked certificates.
type authority struct {
	root, issuing *certauthtest.CA

	responder *certauthtest.Responder // answers for the issuing CA over OCSP
	list      *certauthtest.CRLServer // the issuing CA's CRL

	// Their addresses. An issuing CA writes one or both into a certificate.
	byOCSP, byCRL, byDown, byForged certauthtest.Template
}

// publisher is the loopback server on which every authority publishes.
type publisher struct {
	address string
	mux     *http.ServeMux
	clock   *clock
}

func newPublisher(tb certauthtest.TB, clock *clock) publisher {
	tb.Helper()
	mux := http.NewServeMux()
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return publisher{address: start(tb, server), mux: mux, clock: clock}
}

// newAuthority makes the CAs and publishes for them below the path.
func (p publisher) newAuthority(tb certauthtest.TB, path, rootName, issuingName string) authority {
	tb.Helper()
	at := p.address + path
	var a authority
	a.root = certauthtest.NewCA(tb, rootName)
	// If an issuing CA is revoked, all of its certificates are worthless. Only the root's list
	// can report it, so a checker has to judge the whole chain.
	a.issuing = a.root.NewIntermediate(tb, issuingName, certauthtest.CRLAt(at+"/root.crl"))
	rootList := certauthtest.NewCRLServer(tb, a.root)
	a.list = certauthtest.NewCRLServer(tb, a.issuing)
	a.responder = certauthtest.NewResponder(tb, a.issuing)
	a.responder.Delegate(tb) // as CAs do, because the responder has no access to the CA's own key

	// Two more responders, for the failures.
	down, forged := certauthtest.NewResponder(tb, a.issuing), certauthtest.NewResponder(tb, a.issuing)
	down.SetFault(certauthtest.Down)
	forged.SetFault(certauthtest.Forged)

	for _, r := range []*certauthtest.Responder{a.responder, down, forged} {
		r.SetClock(p.clock.now)
	}
	rootList.SetClock(p.clock.now)
	a.list.SetClock(p.clock.now)

	p.mux.Handle(path+"/root.crl", rootList)
	p.mux.Handle(path+"/clients.crl", a.list)
	p.mux.Handle(path+"/ocsp/", a.responder)
	p.mux.Handle(path+"/down/", down)
	p.mux.Handle(path+"/forged/", forged)
	a.byOCSP, a.byCRL = certauthtest.OCSPAt(at+"/ocsp/"), certauthtest.CRLAt(at+"/clients.crl")
	a.byDown, a.byForged = certauthtest.OCSPAt(at+"/down/"), certauthtest.OCSPAt(at+"/forged/")
	return a
}

// network permits a checker to connect to this server. By default a checker connects only to
// public addresses on ports 80 and 443, because the contents of a certificate must not lead it
// into your own network.
func (p publisher) network(tb certauthtest.TB) revocation.HTTPOptions {
	tb.Helper()
	address, err := url.Parse(p.address)
	if err != nil {
		tb.Fatalf("address: %v", err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		tb.Fatalf("port: %v", err)
	}
	return revocation.HTTPOptions{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowPorts: []int{port}}
}

// clock is the clock of the service, its checkers and the CA. It can be moved forward, so that
// the program need not wait until evidence is old.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) putForward(d time.Duration) { c.ahead.Add(int64(d)) }
