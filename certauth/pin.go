package certauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/reload"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// Thumbprints accepts the certificates whose SHA-256 over the whole DER is listed. It is an
// anchor that vouches for the names. It disables no other check: the certificate must be within
// its validity and allow client authentication. A CA certificate is accepted here, because
// self-signed certificates usually are CA certificates.
//
// A pin is written in hex, in any case, with or without colons or spaces between the bytes. The
// invisible U+200E that Windows puts before a copied thumbprint is ignored. Different spellings
// of a pin are the same pin. Errors of New: an empty list, another length than 32 bytes (20 bytes
// are SHA-1: see [ThumbprintsSHA1]), and the digest of no data, which some front ends send
// without a certificate.
//
// If a policy checks a pin first, other certificates are refused before they are parsed, which is
// the cheapest refusal.
//
// There is no deny list by thumbprint, because the holder of an ECDSA certificate can make a
// second valid encoding of it with another thumbprint. See [Denied].
type Thumbprints []string

// ThumbprintsSHA1 is [Thumbprints] with SHA-1, the thumbprint that Azure shows. No known attack
// makes a second certificate with a given SHA-1, but a party that has certificates issued to it
// may be able to obtain two with the same SHA-1. Prefer [Thumbprints].
type ThumbprintsSHA1 []string

// PublicKeys accepts certificates whose public key is listed, as SHA-256 over the
// SubjectPublicKeyInfo: 32 bytes in hex as for [Thumbprints], or in padded standard base64, the
// form of RFC 7469. The pin stays valid if the certificate is renewed with the same key.
//
// It is an anchor for the key only and does not vouch for names: anyone who holds the key can
// write any subject into a new certificate. New therefore refuses rules on names after it, unless
// a [Chain] vouches for them too. CA certificates are refused.
type PublicKeys []string

// pinKind describes the hashed data and the syntax of a pin.
type pinKind struct {
	slot    int // in certSums
	name    string
	what    string // is hashed, in the words of a log
	size    int
	base64  bool
	vouches vouching // vouchedKey if only the key is hashed
	sum     func([]byte) []byte
}

// pinKinds is the number of different digests.
const pinKinds = 3

var (
	pinThumbprint     = pinKind{slot: 0, name: "Thumbprints", what: "certificate SHA-256", size: sha256.Size, vouches: vouchedNames, sum: sumSHA256}
	pinThumbprintSHA1 = pinKind{slot: 1, name: "ThumbprintsSHA1", what: "certificate SHA-1", size: sha1sum.Size, vouches: vouchedNames, sum: sumSHA1}
	pinPublicKey      = pinKind{slot: 2, name: "PublicKeys", what: "public key SHA-256", size: sha256.Size, base64: true, vouches: vouchedKey, sum: sumSHA256}
	pinCertificate    = pinKind{slot: 0, name: "Certificates", what: "certificate", size: sha256.Size, vouches: vouchedNames, sum: sumSHA256}
)

func (k *pinKind) hash(cert *x509.Certificate) []byte {
	if k.vouches == vouchedKey {
		return k.sum(cert.RawSubjectPublicKeyInfo)
	}
	return k.sum(cert.Raw)
}

func sumSHA256(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}

func sumSHA1(der []byte) []byte {
	sum, err := sha1sum.Of(der)
	if err != nil { // under GODEBUG=fips140=only, where New refuses a rule that could use it
		return nil
	}
	return sum[:]
}

func (p Thumbprints) compile(c *compilation, at place) (rule, standing) {
	return c.pinList(pinThumbprint, p, at)
}

func (p ThumbprintsSHA1) compile(c *compilation, at place) (rule, standing) {
	return c.pinList(pinThumbprintSHA1, p, at)
}

func (p PublicKeys) compile(c *compilation, at place) (rule, standing) {
	return c.pinList(pinPublicKey, p, at)
}

func (c *compilation) pinList(kind pinKind, list []string, at place) (rule, standing) {
	path := at.path + "." + kind.name
	return c.pinRule(kind, path, "", reload.Fixed(path, c.pinSet(kind, path, list)), at)
}

// pinSet parses pins that are listed at path.
func (c *compilation) pinSet(kind pinKind, path string, list []string) pinSet {
	set, mistakes := newPinSet(kind, path, list)
	c.mistakes = append(c.mistakes, mistakes...)
	return set
}

func (c *compilation) pinRule(kind pinKind, path, origin string, pins *reload.Item[pinSet], at place) (*pinRule, standing) {
	c.forbidUnderNot(path, at)
	if kind.name == pinThumbprintSHA1.name && !sha1sum.Available() {
		c.mistake(path, "%w; use Thumbprints", sha1sum.ErrUnavailable)
	}
	c.anchors++
	at.standing.vouched = max(at.standing.vouched, kind.vouches)
	at.standing.named = true
	return &pinRule{kind: kind, path: path, origin: origin, pins: pins, skew: at.skew, serverAuth: at.serverAuth}, at.standing
}

type pinRule struct {
	kind   pinKind
	path   string
	origin string
	pins   *reload.Item[pinSet]
	skew   time.Duration

	serverAuth string
}

func (r *pinRule) judge(e *evaluation) *Error {
	if refused := r.judgeLeaf(e); refused != nil {
		return refused
	}
	if refused := checkLeafDates(r.path, e, r.skew); refused != nil {
		return refused
	}
	e.path.anchor(r.kind.vouches, nil)
	return nil
}

// judgeLeaf makes all checks except those of the dates.
func (r *pinRule) judgeLeaf(e *evaluation) *Error {
	pins := r.pins.Get()
	if pins == nil || pins.len() == 0 {
		return refusal(ReasonNotConfigured, r.path, "no pins")
	}
	if !pins.contains(e.facts.sums.of(&r.kind, e.facts.leaf)) {
		return e.refuse(r, false)
	}
	if r.kind.vouches != vouchedNames && e.facts.isCA {
		return refusal(ReasonCertificateIsCA, r.path, "the leaf is a CA certificate")
	}
	return checkUnchained(r.path, e.facts, r.serverAuth)
}

func (r *pinRule) refusal(e *evaluation) *Error {
	return r.mismatch(e.facts.sums.of(&r.kind, e.facts.leaf))
}

// mismatch names the pin that would be added, unless it is the SHA-256 that every record has.
func (r *pinRule) mismatch(sum []byte) *Error {
	pins := r.pins.Get().len()
	switch r.kind.slot {
	case pinPublicKey.slot:
		return refusal(ReasonPinMismatch, r.path, "the key %x matches none of %d pins", sum, pins)
	case pinThumbprintSHA1.slot:
		return refusal(ReasonPinMismatch, r.path, "the certificate (SHA-1 %x) matches none of %d pins", sum, pins)
	}
	return refusal(ReasonPinMismatch, r.path, "the certificate matches none of %d pins", pins)
}

func (r *pinRule) describe(p *printer) {
	what := r.kind.what
	if r.origin != "" {
		what += " from " + r.origin
	}
	p.line("%s is one of %d", what, r.pins.Get().len())
}

// pinSet is a sorted, packed list with 32 bytes for each pin. A long list has an index by the first
// bits, so that a look-up reads two places in memory instead of twenty.
type pinSet struct {
	size   int
	count  int
	packed []byte
	shift  int      // of the first four bytes, to get the place in the index
	index  []uint32 // position of the first pin with these bits; one more entry at the end
}

// manyPins is the number of pins from which on there is an index, with one entry for four to eight
// pins.
const manyPins = 64

func (s *pinSet) makeIndex() {
	n := s.len()
	if n < manyPins {
		return
	}
	width := bits.Len(uint(n)) - 3
	s.shift = 32 - width
	s.index = make([]uint32, 1<<width+1)
	for i := range n {
		s.index[s.beginning(s.packed[i*s.size:])+1] = uint32(i + 1)
	}
	for i := 1; i < len(s.index); i++ {
		s.index[i] = max(s.index[i], s.index[i-1])
	}
}

func (s *pinSet) beginning(pin []byte) uint32 { return binary.BigEndian.Uint32(pin) >> s.shift }

// maxPinMistakes bounds how many mistakes of one list are reported: a whole file may be of another kind.
const maxPinMistakes = 100

// newPinSet parses pins. The mistakes begin with the place of the list and the number of the pin.
func newPinSet(kind pinKind, at string, list []string) (pinSet, []error) {
	var mistakes []error
	pins := make([][]byte, 0, len(list))
	for i, text := range list {
		if len(mistakes) == maxPinMistakes {
			mistakes = append(mistakes, fmt.Errorf("%s[%d]: not looked at, like the %d after it", at, i, len(list)-i-1))
			break
		}
		pin, err := parsePin(kind, text)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s[%d]: %w", at, i, err))
			continue
		}
		pins = append(pins, pin)
	}
	if len(list) == 0 {
		mistakes = append(mistakes, fmt.Errorf("%s: empty", at))
	}
	return packPins(kind, pins), mistakes
}

// packPins makes a set of digests.
func packPins(kind pinKind, pins [][]byte) pinSet {
	slices.SortFunc(pins, bytes.Compare)
	pins = slices.CompactFunc(pins, bytes.Equal)
	set := pinSet{size: kind.size, count: len(pins), packed: bytes.Join(pins, nil)}
	set.makeIndex()
	return set
}

func (s *pinSet) len() int { return s.count }

func (s *pinSet) contains(pin []byte) bool {
	if len(pin) != s.size || s.count == 0 {
		return false
	}
	low, high := 0, s.count
	if s.index != nil {
		at := s.beginning(pin)
		low, high = int(s.index[at]), int(s.index[at+1])
	}
	// The first bytes of a digest, which are evenly distributed, select the place; all bytes are
	// compared.
	first := binary.BigEndian.Uint64(pin)
	for low < high {
		middle := int(uint(low+high) >> 1)
		known := s.packed[middle*s.size : (middle+1)*s.size]
		switch front := binary.BigEndian.Uint64(known); {
		case front < first:
			low = middle + 1
		case front > first:
			high = middle
		default:
			switch bytes.Compare(known, pin) {
			case 0:
				return true
			case -1:
				low = middle + 1
			default:
				high = middle
			}
		}
	}
	return false
}

// compile makes a list of pins: certificates are the same if the SHA-256 of their DER is.
func (s certificateSet) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Certificates"
	list, _, err := s.certs(context.Background(), reload.Digest{})
	var pins [][]byte
	if err != nil {
		c.mistake(path, "%w", err)
	} else {
		for _, cert := range list {
			pins = append(pins, pinCertificate.hash(cert))
		}
	}
	c.defects.pinned(path, func() []*x509.Certificate { return list })
	return c.pinRule(pinCertificate, path, "", reload.Fixed(path, packPins(pinCertificate, pins)), at)
}
