package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// appService requires the evidence headers of the platform, but not its environment.
var appService = forwarded.AppService{InsecureOutsideAppService: true}

// ours is the library around the final handler.
func ours(policy certauth.Policy, change ...func(*certauth.Config)) func(hearer) (http.Handler, error) {
	return func(hear hearer) (http.Handler, error) {
		config := certauth.Config{Source: appService, Policy: policy, Observe: hear}
		for _, f := range change {
			f(&config)
		}
		auth, err := certauth.New(config)
		if err != nil {
			return nil, err
		}
		return auth.Handler(endOfIdentity()), nil
	}
}

func fixed(h http.Handler) func(hearer) (http.Handler, error) {
	return func(hearer) (http.Handler, error) { return h, nil }
}

const (
	rowBase   = "r.WithContext(context.WithValue())"
	rowFloor  = "floor handler"
	rowChain  = "hit, Chain"
	rowFull   = "hit, Chain, pin and DNS name"
	rowStub   = "hit, and a checker that answers Good"
	rowKnown  = "hit, and revocation known from CRLs"
	rowByHand = "by hand"
	wide      = ", 25 headers"
	behind    = ", behind middleware"

	titleKnown   = "A known caller"
	figureByHand = "by hand, to a hit (Chain, pin and DNS name)"
)

// knownCallers compares the request of a known caller, one of the given number, with the floor
// handler, with WithContext, and with the same checks by hand.
func knownCallers(kind string, clients int) (*comparison, error) {
	w, err := newWorld(kind, "Partner")
	if err != nil {
		return nil, err
	}
	m, err := w.material()
	if err != nil {
		return nil, err
	}
	headers, err := w.issue(clients, w.leaf)
	if err != nil {
		return nil, err
	}
	checker, err := w.checker()
	if err != nil {
		return nil, err
	}
	byHand := newByHand(m, endOf(leafKey{}))
	c := &comparison{}
	add := func(name string, handler func(hearer) (http.Handler, error), wide bool) {
		c.contenders = append(c.contenders, &contender{name: name, handler: handler, headers: headers, wide: wide, status: http.StatusOK})
	}
	floor := func(hearer) (http.Handler, error) { return newFloor(byHand, endOf(floorKey{})), nil }
	stub := fullPolicy(m, certauth.NotRevoked{Checker: alwaysGood{}})
	add(rowBase, fixed(withValue(m.leaf, endOf(leafKey{}))), false)
	add(rowFloor, floor, false)
	add(rowChain, ours(chainPolicy(m)), false)
	add(rowFull, ours(fullPolicy(m)), false)
	add(rowStub, ours(stub), false)
	add(rowKnown, ours(fullPolicy(m, certauth.NotRevoked{Checker: checker})), false)
	add(rowByHand, fixed(byHand), false)

	judge := func(name string, of func(func(string) float64) float64, aim aim) {
		c.figures = append(c.figures, relation{name, of, aim})
	}
	floorAim, byHandAim := atMost(1.45), aim{}
	if clients > 1 {
		floorAim = atMost(1.6)
		c.title = fmt.Sprintf("%s, one of %d (%s)", titleKnown, clients, kind)
	} else {
		c.title = fmt.Sprintf("%s (%s)", titleKnown, kind)
		byHandAim = map[string]aim{"p256": atLeast(280), "rsa2048": atLeast(140)}[kind]
	}
	baseAim := atMost(5)
	if clients > 1 {
		baseAim = aim{}
	}
	judge("hit (Chain), to the floor handler", to(rowChain, rowFloor), floorAim)
	judge("hit (Chain, pin and DNS name), to the floor handler", to(rowFull, rowFloor), floorAim)
	judge("hit (Chain), to WithContext(WithValue)", to(rowChain, rowBase), baseAim)
	judge("hit (Chain, pin and DNS name), to WithContext(WithValue)", to(rowFull, rowBase), baseAim)
	judge("the floor handler, to WithContext(WithValue)", to(rowFloor, rowBase), aim{})
	judge("what NotRevoked adds, its checker a constant, in WithContext", beyond(rowStub, rowFull, rowBase), atMost(0.7))
	judge("what NotRevoked adds, its checker knowing two CRLs, in WithContext", beyond(rowKnown, rowFull, rowBase), atMost(0.7))
	judge(figureByHand, to(rowByHand, rowFull), byHandAim)
	if clients == 1 {
		add(rowFloor+wide, floor, true)
		add(rowChain+wide, ours(chainPolicy(m)), true)
		add(rowFull+wide, ours(fullPolicy(m)), true)
		add(rowFull+wide+behind, ours(fullPolicy(m)), true)
		c.contenders[len(c.contenders)-1].behind = true
		judge("25 headers to 10, hit (Chain)", to(rowChain+wide, rowChain), atMost(1.1))
		judge("25 headers to 10, hit (Chain, pin and DNS name)", to(rowFull+wide, rowFull), atMost(1.1))
		judge("25 headers to 10, the floor handler", to(rowFloor+wide, rowFloor), aim{})
		judge("the same behind middleware, which may have written to the headers, to 10 headers without", to(rowFull+wide+behind, rowFull), aim{})
		judge("hit (Chain, pin and DNS name) to the floor handler, 25 headers", to(rowFull+wide, rowFloor+wide), atMost(1.45))
	}
	return c, nil
}

// alwaysGood is a checker without cost, so that only the cost of the rule is measured.
type alwaysGood struct{}

func (alwaysGood) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return certauth.Revocation{Status: certauth.RevocationGood, Source: "constant"}, nil
}

// checker returns a checker that has the lists of both CAs after the first call.
func (w *world) checker() (*revocation.Checker, error) {
	lists := fetcher{}
	var err error
	if lists[leafListURL], err = w.list(w.issuing, 1000, true); err != nil {
		return nil, err
	}
	if lists[issuingListURL], err = w.list(w.root, 10, false); err != nil {
		return nil, err
	}
	return revocation.New(revocation.Config{Sources: revocation.CRLOnly, Fetcher: lists})
}

// list returns a CRL of one of the two CAs with n entries of 16 octets; none is a client's.
func (w *world) list(by *x509.Certificate, n int, issuing bool) ([]byte, error) {
	key := w.rootKey
	if issuing {
		key = w.issuingKey
	}
	entries := make([]x509.RevocationListEntry, n)
	begun := new(big.Int).Lsh(big.NewInt(1), 125)
	now := time.Now()
	for i := range entries {
		serial := new(big.Int).Mul(big.NewInt(int64(i)+1), big.NewInt(0x9E3779B97F4A7C)) // evenly distributed like random ones
		entries[i] = x509.RevocationListEntry{SerialNumber: serial.Add(serial, begun), RevocationTime: now.Add(-time.Hour)}
	}
	return x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(7 * 24 * time.Hour), RevokedCertificateEntries: entries,
	}, by, key)
}

// fetcher returns the lists by URL.
type fetcher map[string][]byte

func (f fetcher) Fetch(_ context.Context, r revocation.Request) (revocation.Response, error) {
	body, there := f[r.URL]
	if !there {
		return revocation.Response{}, fmt.Errorf("nothing at %s", r.URL)
	}
	return revocation.Response{Body: body}, nil
}
