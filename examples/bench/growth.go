package main

import (
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

func noCache(c *certauth.Config) { c.CacheSize = -1 }

// sameNames compares many roots of one name, as a CA has after changes of its key, with one root.
func sameNames(roots int) (*comparison, error) {
	var certs []*x509.Certificate
	var client *world
	for i := range roots {
		w, err := newWorld("p256", "Re-keyed")
		if err != nil {
			return nil, err
		}
		if certs = append(certs, w.root); i == roots/2 {
			client = w
		}
	}
	headers, err := client.issue(16, client.leaf)
	if err != nil {
		return nil, err
	}
	policy := func(roots ...*x509.Certificate) certauth.Policy {
		return certauth.Chain{Roots: certauth.Certificates(roots...), Intermediates: certauth.Certificates(client.issuing)}
	}
	many := fmt.Sprint(roots, " roots")
	return &comparison{title: "Roots of one name", contenders: []*contender{
		{name: "1 root", handler: ours(policy(client.root), noCache), headers: headers, status: http.StatusOK},
		{name: many, handler: ours(policy(certs...), noCache), headers: headers, status: http.StatusOK},
	}, figures: []relation{{fmt.Sprintf("a first request with %d roots of one name, to one root", roots), to(many, "1 root"), atMost(2)}}}, nil
}

// chainCounts compares a known caller of the last of many partners, which have a Chain each, with one
// of the last of sixteen. The cost must not grow faster than the number of partners.
func chainCounts() (*comparison, error) {
	c := &comparison{title: "One Chain a partner"}
	for _, n := range []int{16, 64, 256} {
		var policy certauth.Any
		var last *world
		for i := range n {
			w, err := newWorld("p256", fmt.Sprint("Partner ", i))
			if err != nil {
				return nil, err
			}
			last = w
			policy = append(policy, certauth.Named{Name: fmt.Sprint("partner ", i), Policy: chainPolicy(material{root: w.root, issuing: w.issuing})})
		}
		headers, err := last.issue(1, last.leaf)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint(n, " partners")
		c.contenders = append(c.contenders, &contender{name: name, handler: ours(policy), headers: headers, status: http.StatusOK})
		if n > 16 {
			c.figures = append(c.figures, relation{fmt.Sprintf("a hit with %s, to one with 16", name), to(name, "16 partners"), atMost(1.5 * float64(n) / 16)})
		}
	}
	return c, nil
}
