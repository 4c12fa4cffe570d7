package certauth

import (
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
)

// KeyedSource is a Source that reads in two steps, so that what the first one finds can
// be recognised without the second: a certificate that was parsed and verified for one
// request need not be for the next.
//
// A struct that embeds a prepared KeyedSource inherits both steps; one that brings its own
// Certificates method must bring its own Offer and Decode too, or its method is never
// called.
type KeyedSource interface {
	Source

	// Offer does all that must be done on every request: who sent it, whether a header is
	// repeated, whether one is too long. It returns the texts that the certificates depend
	// on, unread. An error is as for Certificates; no text offers no certificate.
	Offer(r *http.Request) (Offer, error)

	// Decode reads the certificates from the texts of an Offer and from nothing else: equal
	// texts must always give equal certificates. Before it parses the leaf it may show its
	// DER to screen, if that is not nil, and must return its error as it is.
	Decode(offer Offer, screen func(leaf []byte) error) (Presented, error)
}

// Offer is what a request offers as a certificate, unread: the texts that decide what
// certificates a source hands out, in a fixed order. Every text that the source looks at
// is part of it, flags and fingerprints included: facts about an Offer are remembered for
// exactly these texts and compared with them in full, one by one.
//
// The zero value offers nothing. It is a value: copies are independent.
type Offer struct {
	few    [fewTexts]string
	more   []string
	n      int
	spread string
}

// fewTexts is how many texts an Offer holds without an allocation.
const fewTexts = 3

// sampleSize is how much of an Offer is hashed to find its place in the cache: a
// certificate's text ends in its signature.
const sampleSize = 64

// NewOffer returns an Offer of the text of the leaf.
func NewOffer(leaf string) Offer {
	o := Offer{n: 1, spread: leaf[max(0, len(leaf)-sampleSize):]}
	o.few[0] = leaf
	return o
}

// Add appends a text.
func (o *Offer) Add(text string) {
	if o.n < fewTexts {
		o.few[o.n] = text
	} else {
		o.more = append(o.more[:len(o.more):len(o.more)], text)
	}
	o.n++
}

// Spread names the part of the texts that tells certificates apart best; only it is hashed
// when an Offer is looked up. The default is the end of the first text, where a certificate
// has its signature. A poor choice makes look-ups slow, never wrong.
func (o *Offer) Spread(part string) { o.spread = part }

// Len returns the number of texts.
func (o *Offer) Len() int { return o.n }

// Text returns a text in the order they were added.
func (o *Offer) Text(i int) string {
	if i < fewTexts && i < o.n {
		return o.few[i]
	}
	return o.more[i-fewTexts]
}

// key is what facts are remembered for: the texts of an Offer, or the DER of certificates
// that a source hands out parsed. It is a copy, made before anything waits, and never
// changes.
type key []string

func (k key) equals(other key) bool { return slices.Equal(k, other) }

// probe is a key as a request has it: compared without a copy.
type probe struct {
	offer Offer
	certs []*x509.Certificate // instead of the offer
}

// recognisable reports whether the next request with the same can be told by its key: what
// is too large or was never parsed is not even compared.
func (p *probe) recognisable() bool {
	if len(p.certs) > maxCertificates {
		return false
	}
	beside := 0
	for i, cert := range p.certs {
		if cert == nil || len(cert.Raw) == 0 || len(cert.Raw) > maxCertificateSize {
			return false
		}
		if i > 0 {
			beside += len(cert.Raw)
		}
	}
	return beside <= maxSentAlong
}

func (p *probe) len() int {
	if p.certs != nil {
		return len(p.certs)
	}
	return p.offer.n
}

// equals compares in full: no hash ever stands for a text.
func (p *probe) equals(k key) bool {
	if len(k) != p.len() {
		return false
	}
	if p.certs != nil {
		for i, cert := range p.certs {
			if string(cert.Raw) != k[i] {
				return false
			}
		}
		return true
	}
	for i := range k {
		if p.offer.Text(i) != k[i] {
			return false
		}
	}
	return true
}

// key fixes the texts. Those of an Offer are strings, which nobody can change any more.
func (p *probe) key() key {
	k := make(key, p.len())
	for i := range k {
		if p.certs != nil {
			k[i] = string(p.certs[i].Raw)
		} else {
			k[i] = p.offer.Text(i)
		}
	}
	return k
}

// clone copies the texts, into one piece: what is remembered must not keep a request's memory.
func (k key) clone() key {
	all := strings.Join(k, "")
	if len(k) == 1 {
		all = strings.Clone(k[0])
	}
	cloned := make(key, len(k))
	for i := range k {
		cloned[i], all = all[:len(k[i])], all[len(k[i]):]
	}
	return cloned
}

// size is how many bytes the texts have together.
func (k key) size() int {
	n := 0
	for _, text := range k {
		n += len(text)
	}
	return n
}
