package evidence

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// entry is one element of revokedCertificates.
type entry struct {
	serial    []byte
	revokedAt time.Time
	reason    int
}

// reasonAlone is how the extensions of an entry begin that has only a reason code, not critical.
// Only the code itself follows. Nearly every entry has such extensions or none.
var reasonAlone = []byte{0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01}

// readEntry is rules C7 and C8. It allocates nothing for the usual entries.
func (l *list) readEntry(s *cryptobyte.String) (entry, error) {
	one := entry{reason: ReasonUnspecified}
	var inner cryptobyte.String
	var ok bool
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) {
		return one, malformed("entry")
	}
	if one.serial, ok = readInteger(&inner); !ok {
		return one, malformed("serial number of an entry")
	}
	if one.revokedAt, ok = readTime(&inner); !ok {
		return one, malformed("date of an entry")
	}
	if inner.Empty() {
		return one, nil
	}
	if l.version == 1 {
		return one, malformed("an extension in an entry of a version 1 list")
	}
	if n := len(reasonAlone); len(inner) == n+1 && bytes.Equal(inner[:n], reasonAlone) {
		one.reason = int(int8(inner[n])) //nolint:gosec // an ENUMERATED of one octet is signed
		return one, l.checkReason(one.reason)
	}
	err := l.readEntryExtensions(&one, inner)
	return one, err
}

func (l *list) readEntryExtensions(one *entry, inner cryptobyte.String) error {
	r := newReader(inner)
	extensions := r.extensions()
	r.end("entry")
	if *r.err != nil {
		return *r.err
	}
	for _, e := range extensions {
		switch {
		case e.Id.Equal(oidReasonCode):
			value := newReader(e.Value)
			one.reason = value.enum("reason code")
			value.end("reason code")
			if err := cmp.Or(*value.err, l.checkReason(one.reason)); err != nil {
				return err
			}
		case e.Id.Equal(oidCertificateIssuer):
			return fmt.Errorf("%w: an entry of another issuer", ErrCriticalExtension)
		case e.Id.Equal(oidInvalidityDate):
		case e.Critical:
			return fmt.Errorf("%w: %s in an entry", ErrCriticalExtension, e.Id)
		}
	}
	return nil
}

// checkReason accepts the codes that RFC 5280, section 5.3.1, defines.
func (l *list) checkReason(reason int) error {
	if reason < 0 || reason > 10 || reason == 7 {
		return malformed("reason code")
	}
	if reason == ReasonRemoveFromCRL && !l.isDelta() {
		return malformed("removeFromCRL outside a delta")
	}
	return nil
}

// find returns the strictest entry for the serial number. It checks every entry, because one that
// is not understood makes the list unusable for all certificates (RFC 5280, section 5.3).
func (l *list) find(serial []byte) (found entry, as listing, err error) {
	for s := cryptobyte.String(l.entries); !s.Empty(); {
		one, err := l.readEntry(&s)
		if err != nil {
			return entry{}, notListed, err
		}
		if stricter := one.listedAs(); stricter > as && bytes.Equal(one.serial, serial) {
			found, as = one, stricter
		}
	}
	return found, as, nil
}
