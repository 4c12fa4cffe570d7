package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

const (
	rowFirst    = "first request"
	titleFirst  = "A certificate seen for the first time, and refusals"
	figureFirst = "first request, to by hand"
)

// firstRequests compares requests with new certificates with the same checks by hand, and refused
// with accepted ones. Each is a whole request, including the response.
func firstRequests(kind string, pool int) (*comparison, error) {
	w, err := newWorld(kind, "Partner")
	if err != nil {
		return nil, err
	}
	stranger, err := newWorld(kind, "Stranger")
	if err != nil {
		return nil, err
	}
	m, err := w.material()
	if err != nil {
		return nil, err
	}
	issued, err := w.issue(pool, w.leaf)
	if err != nil {
		return nil, err
	}
	unknown, err := stranger.issue(pool, stranger.leaf)
	if err != nil {
		return nil, err
	}
	forged, err := w.forge(pool, kind, false)
	if err != nil {
		return nil, err
	}
	copied, err := w.forge(pool, kind, true)
	if err != nil {
		return nil, err
	}

	byHand := &contender{name: rowByHand, handler: fixed(newByHand(m, endOf(leafKey{}))), headers: issued, status: http.StatusOK}
	first := &contender{name: rowFirst, handler: ours(fullPolicy(m)), headers: issued, opening: m.header(), fresh: true, status: http.StatusOK}
	c := &comparison{title: fmt.Sprintf("%s (%s)", titleFirst, kind), contenders: []*contender{byHand, first}}
	signature, whole := atMost(0.6), atMost(0.65)
	if kind != "p256" {
		signature, whole = atMost(0.7), atMost(0.75)
	}
	judge := func(name, of, base string, aim aim) {
		c.figures = append(c.figures, relation{name, to(of, base), aim})
	}
	judge(figureFirst, rowFirst, rowByHand, whole)

	refused := func(name string, reason certauth.Reason, policy certauth.Policy, aim aim, headers ...string) {
		c.contenders = append(c.contenders, &contender{name: name, handler: ours(policy), headers: headers, status: http.StatusUnauthorized, reason: reason})
		judge(name+", to by hand", name, rowByHand, aim)
	}
	chain := chainPolicy(m)
	pins := certauth.All{certauth.Thumbprints{strings.Repeat("ab", 32)}, chain}
	refused("forged, with the CA's key identifier", certauth.ReasonChainUntrusted, chain, signature, copied...)
	refused("forged, with a key identifier of its own", certauth.ReasonChainUntrusted, chain, signature, forged...)
	refused("unknown issuer", certauth.ReasonChainUntrusted, chain, atMost(0.12), unknown...)
	refused("not the certificate that is pinned", certauth.ReasonPinMismatch, pins, atMost(0.03), issued...)
	refused("1.5 KiB of random bytes", certauth.ReasonCertificateMalformed, chain, atMost(0.03), garbage(1152))
	refused("8 KiB of random bytes", certauth.ReasonCertificateMalformed, chain, atMost(0.03), garbage(6<<10))
	refused("1.5 KiB that begin as a certificate does", certauth.ReasonCertificateMalformed, chain, atMost(0.03), dressed(1152))
	refused("not base64", certauth.ReasonCertificateMalformed, chain, atMost(0.03), "?"+issued[0][1:])
	refused("64 KiB, too long", certauth.ReasonCertificateMalformed, chain, atMost(0.01), strings.Repeat("A", 64<<10))
	refused("no certificate", certauth.ReasonCertificateMissing, chain, aim{}, "")

	c.contenders = append(c.contenders, &contender{name: "http.Error", headers: []string{""}, status: http.StatusUnauthorized, handler: fixed(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
		}))})
	judge("the whole 401 (no certificate), to http.Error", "no certificate", "http.Error", atMost(3.5))
	return c, nil
}
