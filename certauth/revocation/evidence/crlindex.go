package evidence

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"

	"github.com/seed2886b8ae/go-certauth/internal/serials"
)

// index is a verified list of either kind. Nothing in it refers to the DER.
type index struct {
	header
	entries int
	listed  [listingKinds]serials.Set
}

// newIndex checks every entry before it takes memory. It reads the entries twice, so that it takes
// exactly the memory that they need.
func newIndex(l *list) (*index, error) {
	var counts [listingKinds]serials.Count
	x := &index{header: l.header}
	for s := cryptobyte.String(l.entries); !s.Empty(); x.entries++ {
		one, err := l.readEntry(&s)
		if err != nil {
			return nil, err
		}
		counts[one.listedAs()].Add(one.serial)
	}
	var sets [listingKinds]*serials.Builder
	for as := range sets {
		sets[as] = serials.NewBuilder(&counts[as])
	}
	s := cryptobyte.String(l.entries)
	for range x.entries {
		one, _ := l.readEntry(&s) // as before
		sets[one.listedAs()].Add(one.serial)
	}
	for as := range sets {
		x.listed[as] = sets[as].Done()
	}
	x.issuer, x.signerKey = bytes.Clone(l.issuer), bytes.Clone(l.signerKey)
	return x, nil
}

// listing says how a list contains a serial number, the strictest last.
type listing uint8

const (
	notListed     listing = iota
	listedRemoved         // by a delta: no longer on hold, or expired
	listedHeld
	listedRevoked
	listingKinds
)

func (e *entry) listedAs() listing {
	switch e.reason {
	case ReasonCertificateHold:
		return listedHeld
	case ReasonRemoveFromCRL:
		return listedRemoved
	}
	return listedRevoked
}

// find returns the strictest entry for the serial number.
func (x *index) find(serial []byte) listing {
	as := listedRevoked
	for as > notListed && !x.listed[as].Has(serial) {
		as--
	}
	return as
}

// size returns the bytes of the tables, nearly all of its memory, and an estimate of the rest.
func (x *index) size() int {
	size := indexOverhead + 3*len(x.pointDER) + len(x.keyIDDER) + len(x.signerKey) + len(x.responder) // the point is there parsed, too
	for _, url := range x.freshest {
		size += len(url)
	}
	for as := range x.listed {
		size += x.listed[as].Size()
	}
	return size
}

// indexOverhead is an estimate of the memory of an index without entries.
const indexOverhead = 1024
