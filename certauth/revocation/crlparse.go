package revocation

import (
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCRLNumber         = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode        = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidInvalidityDate    = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidDeltaIndicator    = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuingPoint      = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidAuthorityKeyID    = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidFreshestCRL       = asn1.ObjectIdentifier{2, 5, 29, 46}
)

// list is a CertificateList (RFC 5280, section 5.1) taken apart; nothing in it is
// verified.
type list struct {
	tbs                    []byte
	version                int
	issuer                 []byte
	thisUpdate, nextUpdate time.Time
	hasNextUpdate          bool
	entries                []byte // content of revokedCertificates
	hasEntries             bool
	extensions             []extension
	algorithm              algorithmIdentifier
	signature              []byte

	point *issuingPoint
	keyID []byte // of the authority key identifier, nil if absent
}

func parseList(der []byte) (*list, error) {
	s := cryptobyte.String(der)
	var outer, tbs cryptobyte.String
	var signature asn1.BitString
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, malformed("CertificateList")
	}
	l := &list{tbs: tbs, version: 1}
	var ok bool
	if l.algorithm, ok = readAlgorithm(&outer); !ok || !outer.ReadASN1BitString(&signature) || signature.BitLength%8 != 0 || !outer.Empty() {
		return nil, malformed("signature")
	}
	l.signature = signature.Bytes
	if err := l.parseTBS(tbs); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *list) parseTBS(element cryptobyte.String) error {
	var tbs, issuer cryptobyte.String
	if !element.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return malformed("TBSCertList")
	}
	if tbs.PeekASN1Tag(cbasn1.INTEGER) {
		if !tbs.ReadASN1Integer(&l.version) || l.version != 1 {
			return malformed("version")
		}
		l.version = 2
	}
	inner, ok := readAlgorithm(&tbs)
	if !ok || !inner.oid.Equal(l.algorithm.oid) || !equal(inner.parameters, l.algorithm.parameters) {
		return malformed("the signature algorithms inside and outside differ")
	}
	if !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return malformed("issuer")
	}
	l.issuer = issuer
	if l.thisUpdate, ok = readTime(&tbs); !ok {
		return malformed("thisUpdate")
	}
	if tbs.PeekASN1Tag(cbasn1.UTCTime) || tbs.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if l.nextUpdate, ok = readTime(&tbs); !ok {
			return malformed("nextUpdate")
		}
		l.hasNextUpdate = true
	}
	if tbs.PeekASN1Tag(cbasn1.SEQUENCE) {
		var entries cryptobyte.String
		if !tbs.ReadASN1(&entries, cbasn1.SEQUENCE) {
			return malformed("revokedCertificates")
		}
		l.entries, l.hasEntries = entries, true
	}
	var err error
	if l.extensions, err = optionalExtensions(&tbs, tagExplicit0); err != nil {
		return err
	}
	if !tbs.Empty() || l.version == 1 && l.extensions != nil {
		return malformed("bytes behind TBSCertList")
	}
	return l.readKnownExtensions()
}

// readKnownExtensions is rule C5: what is critical must be understood. A delta is told
// apart by the caller, before this complains about it.
func (l *list) readKnownExtensions() error {
	for _, e := range l.extensions {
		var err error
		switch {
		case e.oid.Equal(oidIssuingPoint):
			l.point, err = parseIssuingPoint(e.value)
		case e.oid.Equal(oidAuthorityKeyID):
			l.keyID, err = parseKeyID(e.value)
		case e.oid.Equal(oidCRLNumber):
			s := cryptobyte.String(e.value)
			if number, ok := readInteger(&s); !ok || !s.Empty() || len(number) > 20 || number[0] >= 0x80 {
				err = malformed("cRLNumber")
			}
		case e.oid.Equal(oidDeltaIndicator):
			err = fmt.Errorf("%w: a delta CRL is no base", ErrCRLScope)
		case e.oid.Equal(oidFreshestCRL):
		case e.critical:
			err = fmt.Errorf("%w: %s", ErrCriticalExtension, e.oid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseKeyID returns the keyIdentifier of an AuthorityKeyIdentifier, nil if it has none.
func parseKeyID(der []byte) ([]byte, error) {
	s := cryptobyte.String(der)
	var inner, id cryptobyte.String
	var present bool
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !s.Empty() || !inner.ReadOptionalASN1(&id, &present, cbasn1.Tag(0).ContextSpecific()) {
		return nil, malformed("authority key identifier")
	}
	return id, nil
}

// entry is one element of revokedCertificates.
type entry struct {
	serial    []byte
	revokedAt time.Time
	reason    int
	extended  bool // has extensions
}

// find checks every entry, since one that is not understood spoils the list for all
// certificates (RFC 5280, section 5.3), and returns the strictest for the serial number.
func (l *list) find(serial []byte) (found entry, listed bool, err error) {
	s := cryptobyte.String(l.entries)
	for !s.Empty() {
		one, err := readEntry(&s)
		if err == nil && l.version == 1 && one.extended {
			err = malformed("an extension in an entry of a version 1 list")
		}
		if err != nil {
			return entry{}, false, err
		}
		if equal(one.serial, serial) && (!listed || found.reason == ReasonCertificateHold) {
			found, listed = one, true
		}
	}
	return found, listed, nil
}

func readEntry(s *cryptobyte.String) (entry, error) {
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
	one.extended = true
	extensions, err := readExtensions(&inner)
	if err != nil {
		return one, err
	}
	if !inner.Empty() {
		return one, malformed("entry")
	}
	for _, e := range extensions {
		switch {
		case e.oid.Equal(oidReasonCode):
			value := cryptobyte.String(e.value)
			if !value.ReadASN1Enum(&one.reason) || !value.Empty() || one.reason < 0 || one.reason > 10 || one.reason == 7 {
				return one, malformed("reason code")
			}
			if one.reason == ReasonRemoveFromCRL {
				return one, malformed("removeFromCRL outside a delta")
			}
		case e.oid.Equal(oidCertificateIssuer):
			return one, fmt.Errorf("%w: an entry of another issuer", ErrCriticalExtension)
		case e.oid.Equal(oidInvalidityDate):
		case e.critical:
			return one, fmt.Errorf("%w: %s in an entry", ErrCriticalExtension, e.oid)
		}
	}
	return one, nil
}
