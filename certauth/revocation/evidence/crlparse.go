package evidence

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"

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

// list is a parsed CertificateList (RFC 5280, section 5.1). Nothing in it is verified.
type list struct {
	header
	tbs        []byte
	version    int
	keyID      []byte // of the authority key identifier, nil if absent
	entries    []byte // content of revokedCertificates
	hasEntries bool
	extensions []pkix.Extension
	algorithm  algorithmIdentifier
	signature  []byte
}

func (l *list) isDelta() bool { return l.baseNumber != nil }

// parseList reads a list in DER or as one PEM block.
func parseList(content []byte) (*list, error) {
	der, err := unwrapPEM(content)
	if err != nil {
		return nil, err
	}
	outer := readSequence(der, "CertificateList")
	l := &list{tbs: outer.sequence("CertificateList"), version: 1}
	l.algorithm = outer.algorithm("signature")
	l.signature = outer.octetsOfBits("signature")
	outer.end("signature")
	l.readTBS(outer.of(l.tbs))
	if *outer.err != nil {
		return nil, *outer.err
	}
	err = l.readKnownExtensions()
	return l, err
}

func (l *list) readTBS(r *reader) {
	tbs := r.inside(cbasn1.SEQUENCE, "TBSCertList")
	if tbs.isNext(cbasn1.INTEGER) {
		tbs.want(tbs.number("version") == 1, "version")
		l.version = 2
	}
	inner := tbs.algorithm("signature")
	tbs.want(inner.oid.Equal(l.algorithm.oid) && bytes.Equal(inner.parameters, l.algorithm.parameters), "the signature algorithms inside and outside differ")
	l.issuer = tbs.sequence("issuer")
	tbs.want(len(l.issuer) <= maxIssuerName, "issuer")
	l.ThisUpdate = tbs.time("thisUpdate")
	if tbs.isNext(cbasn1.UTCTime) || tbs.isNext(cbasn1.GeneralizedTime) {
		l.NextUpdate = notZero(tbs.time("nextUpdate"))
	}
	if tbs.isNext(cbasn1.SEQUENCE) {
		l.entries, l.hasEntries = tbs.content(cbasn1.SEQUENCE, "revokedCertificates"), true
	}
	l.extensions = tbs.optionalExtensions(tagExplicit0)
	tbs.want(l.version == 2 || l.extensions == nil, "extensions in a list of version 1")
	tbs.end("bytes after TBSCertList")
}

// readKnownExtensions is rule C5: every critical extension must be understood.
func (l *list) readKnownExtensions() error {
	for _, e := range l.extensions {
		var err error
		switch {
		case e.Id.Equal(oidIssuingPoint):
			l.pointDER = bytes.Clone(e.Value) // the index keeps it, and must not keep the whole list in memory
			if l.point, err = parseIssuingPoint(l.pointDER); err == nil && l.point.indirect {
				err = ErrIndirectCRL
			}
		case e.Id.Equal(oidAuthorityKeyID):
			l.keyIDDER = bytes.Clone(e.Value)
			in := readSequence(e.Value, "authority key identifier")
			id, _ := in.optional(cbasn1.Tag(0).ContextSpecific(), "authority key identifier")
			l.keyID, err = id.rest, *in.err
		case e.Id.Equal(oidCRLNumber):
			l.number, err = parseCRLNumber(e.Value)
		case e.Id.Equal(oidDeltaIndicator):
			l.baseNumber, err = parseCRLNumber(e.Value)
		case e.Id.Equal(oidFreshestCRL):
			l.namesDelta = true
		case e.Critical:
			err = fmt.Errorf("%w: %s", ErrCriticalExtension, e.Id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkKind makes sure that neither a complete list nor a delta is ever accepted as the other.
func (l *list) checkKind(wantsDelta bool) error {
	indicator, isDelta := find(l.extensions, oidDeltaIndicator)
	switch {
	case isDelta && !wantsDelta:
		return fmt.Errorf("%w: a delta CRL is no base", ErrCRLScope)
	case !wantsDelta:
		return nil
	case !isDelta:
		return fmt.Errorf("%w: a complete CRL is not a delta", ErrDeltaMismatch)
	case !indicator.Critical: // section 5.2.4: who does not know the extension would take the delta for the complete list
		return malformed("a delta CRL indicator that is not critical")
	case l.namesDelta: // section 5.2.6
		return malformed("a delta CRL with a freshest CRL")
	case l.number == nil:
		return malformed("a delta CRL without cRLNumber")
	}
	return nil
}

// parseCRLNumber reads a CRLNumber, which has at most 20 octets (RFC 5280, section 5.2.3).
func parseCRLNumber(der []byte) (*big.Int, error) {
	r := newReader(der)
	number := r.integer("cRLNumber")
	r.end("cRLNumber")
	if *r.err != nil || len(number) > 20 || number[0] >= 0x80 {
		return nil, malformed("cRLNumber")
	}
	return new(big.Int).SetBytes(number), nil
}
