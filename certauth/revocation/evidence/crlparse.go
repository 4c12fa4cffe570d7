package evidence

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"math/big"

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

// maxIssuerName bounds a name that is compared before anything is verified.
const maxIssuerName = 16 << 10

// listKind is what a list is read as. Neither kind is ever taken for the other.
type listKind uint8

const (
	completeList listKind = iota
	deltaList
)

// list is a CertificateList (RFC 5280, section 5.1) taken apart; nothing in it is
// verified.
type list struct {
	header
	kind       listKind
	tbs        []byte
	version    int
	issuer     []byte // the name, DER
	keyID      []byte // of the authority key identifier, nil if absent
	entries    []byte // content of revokedCertificates
	hasEntries bool
	extensions []extension
	algorithm  algorithmIdentifier
	signature  []byte
}

func parseList(der []byte, kind listKind) (*list, error) {
	s := cryptobyte.String(der)
	var outer, tbs cryptobyte.String
	var signature asn1.BitString
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, malformed("CertificateList")
	}
	l := &list{kind: kind, tbs: tbs, version: 1}
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
	if !ok || !inner.oid.Equal(l.algorithm.oid) || !bytes.Equal(inner.parameters, l.algorithm.parameters) {
		return malformed("the signature algorithms inside and outside differ")
	}
	if !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || len(issuer) > maxIssuerName {
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

// readKnownExtensions is rule C5: what is critical must be understood.
func (l *list) readKnownExtensions() error {
	for _, e := range l.extensions {
		var err error
		switch {
		case e.oid.Equal(oidIssuingPoint):
			if l.point, err = parseIssuingPoint(e.value); err == nil && l.point.indirect {
				err = ErrIndirectCRL
			}
		case e.oid.Equal(oidAuthorityKeyID):
			l.keyID, err = parseKeyID(e.value)
		case e.oid.Equal(oidCRLNumber):
			l.number, err = parseCRLNumber(e.value)
		case e.oid.Equal(oidDeltaIndicator):
			l.baseNumber, err = l.parseDeltaIndicator(e)
		case e.oid.Equal(oidFreshestCRL):
			l.namesDelta = true
			if l.kind == deltaList { // section 5.2.6
				err = malformed("a delta CRL with a freshest CRL")
			}
		case e.critical:
			err = fmt.Errorf("%w: %s", ErrCriticalExtension, e.oid)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case l.kind == completeList:
		return nil
	case l.baseNumber == nil:
		return fmt.Errorf("%w: a complete CRL is no delta", ErrDeltaMismatch)
	case l.number == nil:
		return malformed("a delta CRL without cRLNumber")
	}
	return nil
}

var errIsDelta = fmt.Errorf("%w: a delta CRL is no base", ErrCRLScope)

// parseDeltaIndicator is RFC 5280, section 5.2.4: the extension is critical, or who does
// not know it would take a delta for the whole list.
func (l *list) parseDeltaIndicator(e extension) (*big.Int, error) {
	switch {
	case l.kind == completeList:
		return nil, errIsDelta
	case !e.critical:
		return nil, malformed("a delta CRL indicator that is not critical")
	}
	return parseCRLNumber(e.value)
}

// parseCRLNumber reads a CRLNumber, which has at most 20 octets (RFC 5280, section 5.2.3).
func parseCRLNumber(der []byte) (*big.Int, error) {
	s := cryptobyte.String(der)
	number, ok := readInteger(&s)
	if !ok || !s.Empty() || len(number) > 20 || number[0] >= 0x80 {
		return nil, malformed("cRLNumber")
	}
	return new(big.Int).SetBytes(number), nil
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
