package source

import (
	"crypto/x509"
	"hash/maphash"
	"slices"
	"strings"
)

// Offer is the certificate that a request offers: either unread texts, or parsed certificates.
// The certificates depend on nothing but the texts, which include flags and fingerprints, in a
// fixed order; the first text holds the leaf.
//
// The zero value offers nothing. Copies are independent.
type Offer struct {
	// Certificates is used instead of texts, leaf first.
	Certificates []*x509.Certificate

	few    [fewTexts]string
	more   []string
	n      int
	sample string
}

// fewTexts is the number of texts that an Offer holds without an allocation.
const fewTexts = 3

// sampleSize is the number of bytes of an Offer that are hashed to find its place in a cache. The
// text of a certificate ends with its signature.
const sampleSize = 64

// Add appends a text. The first one is that of the leaf.
func (o *Offer) Add(text string) {
	if o.n == 0 {
		o.sample = text[max(0, len(text)-sampleSize):]
	}
	if o.n < fewTexts {
		o.few[o.n] = text
	} else {
		o.more = append(o.more[:len(o.more):len(o.more)], text)
	}
	o.n++
}

// SetSample sets the part of the texts that differs most between certificates. Only this part is
// hashed. The default is the end of the first text. A poor choice makes look-ups slow but never
// wrong.
func (o *Offer) SetSample(part string) { o.sample = part }

// Len returns the number of texts or certificates.
func (o *Offer) Len() int {
	if o.Certificates != nil {
		return len(o.Certificates)
	}
	return o.n
}

// Text returns the text with this index, in the order of Add.
func (o *Offer) Text(i int) string {
	if i < fewTexts && i < o.n {
		return o.few[i]
	}
	return o.more[i-fewTexts]
}

// Hash hashes the sample of the texts, or the end of the leaf's DER.
func (o *Offer) Hash(seed maphash.Seed) uint64 {
	if o.Certificates != nil {
		raw := o.Certificates[0].Raw
		return maphash.Bytes(seed, raw[max(0, len(raw)-sampleSize):])
	}
	return maphash.String(seed, o.sample)
}

// Key returns the key under which facts about the offered certificates are remembered.
func (o *Offer) Key() Key {
	k := make(Key, o.Len())
	for i := range k {
		if o.Certificates != nil {
			k[i] = string(o.Certificates[i].Raw)
		} else {
			k[i] = o.Text(i)
		}
	}
	return k
}

// Is reports whether the Offer has this key. It compares all bytes and does not allocate.
func (o *Offer) Is(k Key) bool {
	if len(k) != o.Len() {
		return false
	}
	if o.Certificates != nil {
		for i, cert := range o.Certificates {
			if string(cert.Raw) != k[i] {
				return false
			}
		}
		return true
	}
	for i := range k {
		if o.Text(i) != k[i] {
			return false
		}
	}
	return true
}

// Key holds the texts of an Offer, or the DER of its certificates.
type Key []string

// Offer returns an Offer with the texts of the key.
func (k Key) Offer() Offer {
	var offer Offer
	for _, text := range k {
		offer.Add(text)
	}
	return offer
}

// Equal reports whether both keys are the same.
func (k Key) Equal(other Key) bool { return slices.Equal(k, other) }

// CloneTo copies all texts into one new piece of memory. The result is in room if it fits into its
// capacity.
func (k Key) CloneTo(room Key) Key {
	all := strings.Join(k, "")
	if len(k) == 1 {
		all = strings.Clone(k[0])
	}
	cloned := room[:0]
	for _, text := range k {
		cloned, all = append(cloned, all[:len(text)]), all[len(text):]
	}
	return cloned
}

// Size returns the total number of bytes of the texts.
func (k Key) Size() int {
	n := 0
	for _, text := range k {
		n += len(text)
	}
	return n
}
