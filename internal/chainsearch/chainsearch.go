// Package chainsearch finds the chains of a client's certificate to configured CAs, or the reason
// that there are none (RFC 5280, section 6). It knows nothing of requests and policies.
//
// A search admits the CAs that were sent along (admission.go), and finds all ways from the leaf to a
// root by names and signatures (search.go). Signatures of CAs on CAs are remembered (candidate.go). Then
// it judges each way (verify.go, policies.go). If there is none, explain.go finds the reason to report.
package chainsearch

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// MaxCertificates bounds the certificates of a chain, and those that a request presents, leaf
// included.
const MaxCertificates = 10

// systemResultLife bounds how long a result under the system's roots holds. The search does not know
// these roots and therefore not when one of them expires.
const systemResultLife = 10 * time.Minute

// Settings are the requirements of a search.
type Settings struct {
	System     *x509.CertPool // replaces the roots, if set
	MaxDepth   int            // the largest number of CA certificates above the leaf
	Skew       time.Duration  // of the clock
	ServerAuth bool           // the purpose serverAuth counts as clientAuth
	Policies   string         // acceptable certificate policies as dotted OIDs, joined by spaces
}

// Leaf is the certificate whose chains are searched.
type Leaf struct {
	Certificate *x509.Certificate
	Fault       certcheck.Fault
	Issuer      string              // the key of its issuer's name, of [CAs.KeyOf]
	SentAlong   []*x509.Certificate // may contain CAs
}

// Result holds the chains that were found, leaf first, or the reason that there are none. Another
// search would find the same from From until before Until, unless the CAs change.
type Result struct {
	Chains      [][]*x509.Certificate
	Invalid     [][]*x509.Certificate // if any were found: chains by names and signatures that something else refuses
	Refused     *certcheck.Refusal
	Dated       *x509.Certificate // the certificate whose validity is the reason, or nil
	From, Until time.Time
}

// Find searches at the time now. admitted remembers CAs that were sent along, from one search to the
// next; it may be nil.
func (s Settings) Find(leaf Leaf, cas CAs, now time.Time, admitted *Admissions) Result {
	found := &search{Settings: s, CAs: cas, leaf: leaf, now: now, span: newSpan(now), admitted: admitted, known: map[*candidate]issuers{}}
	found.span.watch(leaf.Certificate, s.Skew)
	chains, invalid, obstacle := found.verify()
	if s.System != nil { // the search has not watched the system's roots
		for _, chain := range slices.Concat(chains, invalid) {
			for _, cert := range chain {
				found.span.watch(cert, s.Skew)
			}
		}
		found.span.edge(now.Add(-systemResultLife))
		found.span.edge(now.Add(systemResultLife))
	}
	result := Result{From: found.span.from, Until: found.span.until}
	if len(chains) > 0 {
		result.Chains, result.Invalid = chains, invalid
	} else {
		result.Refused, result.Dated = obstacle.refused, obstacle.dated
	}
	return result
}
