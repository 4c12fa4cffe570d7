package evidence

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

var oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}

// distributionPoint is one DistributionPoint of a certificate (RFC 5280, section
// 4.2.1.13). Names are kept as DER, to be compared byte for byte.
type distributionPoint struct {
	names   [][]byte // fullName; none if it is relative to the CRL issuer, or absent
	reasons uint16   // AllReasons unless the point names some
	issuer  []byte   // content of cRLIssuer, nil if absent: another than the CA signs the list
}

// isUsable: indirect CRLs are not supported, and a relative name leads nowhere.
func (p *distributionPoint) isUsable() bool { return p.issuer == nil && len(p.names) > 0 }

// distributionPoints reads the extension itself: crypto/x509 flattens it, and with the
// grouping loses which point a list answers for. Points with cRLIssuer (indirect CRLs) or
// with a relative name alone are skipped.
func distributionPoints(cert *x509.Certificate) ([]distributionPoint, error) {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidDistributionPoints) {
			return parseDistributionPoints(e.Value)
		}
	}
	return nil, nil
}

func parseDistributionPoints(der []byte) ([]distributionPoint, error) {
	points, err := readDistributionPoints(der)
	return slices.DeleteFunc(points, func(p distributionPoint) bool { return !p.isUsable() }), err
}

// readDistributionPoints returns all, usable or not.
func readDistributionPoints(der []byte) ([]distributionPoint, error) {
	s := cryptobyte.String(der)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return nil, malformed("distribution points")
	}
	var points []distributionPoint
	for count := 0; !list.Empty(); count++ {
		if count == maxAnswers {
			return nil, ErrLimits
		}
		var one cryptobyte.String
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) {
			return nil, malformed("distribution point")
		}
		point, err := parseDistributionPoint(one)
		if err != nil {
			return nil, err
		}
		points = append(points, point)
	}
	return points, nil
}

func parseDistributionPoint(one cryptobyte.String) (point distributionPoint, err error) {
	point.reasons = AllReasons
	if point.names, err = readPointName(&one); err != nil {
		return point, err
	}
	var content cryptobyte.String
	var present bool
	if !one.ReadOptionalASN1(&content, &present, cbasn1.Tag(1).ContextSpecific()) {
		return point, malformed("reasons")
	}
	if present {
		if point.reasons, err = reasonFlags(content); err != nil {
			return point, err
		}
	}
	if !one.ReadOptionalASN1(&content, &present, tagExplicit2) || !one.Empty() {
		return point, malformed("distribution point")
	}
	if present {
		point.issuer = append([]byte{}, content...)
	}
	return point, nil
}

// readPointName reads an optional DistributionPointName; a name relative to the issuer
// gives no names.
func readPointName(s *cryptobyte.String) ([][]byte, error) {
	var explicit, content cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&explicit, &present, tagExplicit0) {
		return nil, malformed("distribution point name")
	}
	if !present {
		return nil, nil
	}
	var tag cbasn1.Tag
	if !explicit.ReadAnyASN1(&content, &tag) || !explicit.Empty() {
		return nil, malformed("distribution point name")
	}
	switch tag {
	case tagExplicit1:
		return nil, nil
	case tagExplicit0:
	default:
		return nil, malformed("distribution point name")
	}
	var names [][]byte
	for !content.Empty() {
		var name cryptobyte.String
		if len(names) == maxAnswers || !content.ReadAnyASN1Element(&name, nil) {
			return nil, malformed("distribution point name")
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, malformed("distribution point name")
	}
	return names, nil
}

// reasonFlags reads the content of ReasonFlags, a named BIT STRING: trailing zero bits are
// left out in DER, and an empty set would cover nothing.
func reasonFlags(content []byte) (uint16, error) {
	if len(content) < 2 || len(content) > 3 || content[0] > 7 {
		return 0, malformed("reason flags")
	}
	bits := content[1:]
	unused := content[0]
	if last := bits[len(bits)-1]; last&(1<<unused-1) != 0 || last>>unused&1 == 0 {
		return 0, malformed("reason flags")
	}
	var mask uint16
	for i := range len(bits) * 8 {
		if bits[i/8]>>(7-i%8)&1 == 1 && i < 16 {
			mask |= 1 << i
		}
	}
	return mask & AllReasons, nil
}

// issuingPoint is the IssuingDistributionPoint of a CRL (RFC 5280, section 5.2.5).
type issuingPoint struct {
	hasPoint                bool
	names                   [][]byte
	onlyUser, onlyCA        bool
	onlyAttribute, indirect bool
	reasons                 uint16
}

// hasName compares byte for byte.
func (p *issuingPoint) hasName(name []byte) bool {
	for _, other := range p.names {
		if bytes.Equal(name, other) {
			return true
		}
	}
	return false
}

// namesCA reports whether the point is the directory name of the CA itself: such a list is for
// all of its certificates, whatever distribution points they have (RFC 5280, section 6.3.3,
// last paragraph).
func (p *issuingPoint) namesCA(name []byte) bool {
	return slices.ContainsFunc(p.names, func(general []byte) bool {
		directory, ok := directoryName(general)
		return ok && dn.Match(directory, name)
	})
}

// directoryName returns the Name in a GeneralName that holds one.
func directoryName(general cryptobyte.String) ([]byte, bool) {
	var name cryptobyte.String
	if !general.ReadASN1(&name, cbasn1.Tag(4).Constructed().ContextSpecific()) || !general.Empty() {
		return nil, false
	}
	return name, true
}

func parseIssuingPoint(der []byte) (*issuingPoint, error) {
	s := cryptobyte.String(der)
	var inner cryptobyte.String
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !s.Empty() || inner.Empty() {
		return nil, malformed("issuing distribution point")
	}
	p := &issuingPoint{reasons: AllReasons, hasPoint: inner.PeekASN1Tag(tagExplicit0)}
	var err error
	if p.names, err = readPointName(&inner); err != nil {
		return nil, err
	}
	var content cryptobyte.String
	var present bool
	for _, flag := range []struct {
		tag  uint8
		into *bool
	}{{1, &p.onlyUser}, {2, &p.onlyCA}} {
		if err := readTrue(&inner, flag.tag, flag.into); err != nil {
			return nil, err
		}
	}
	if !inner.ReadOptionalASN1(&content, &present, cbasn1.Tag(3).ContextSpecific()) {
		return nil, malformed("onlySomeReasons")
	}
	if present {
		if p.reasons, err = reasonFlags(content); err != nil {
			return nil, err
		}
	}
	if err := readTrue(&inner, 4, &p.indirect); err != nil {
		return nil, err
	}
	if err := readTrue(&inner, 5, &p.onlyAttribute); err != nil {
		return nil, err
	}
	only := 0
	for _, flag := range []bool{p.onlyUser, p.onlyCA, p.onlyAttribute} {
		if flag {
			only++
		}
	}
	if !inner.Empty() || only > 1 {
		return nil, malformed("issuing distribution point")
	}
	return p, nil
}

// readTrue reads an optional BOOLEAN whose default is FALSE, which DER leaves out.
func readTrue(s *cryptobyte.String, tag uint8, into *bool) error {
	var content cryptobyte.String
	if !s.ReadOptionalASN1(&content, into, cbasn1.Tag(tag).ContextSpecific()) {
		return malformed("issuing distribution point")
	}
	if *into && (len(content) != 1 || content[0] != 0xFF) {
		return malformed("issuing distribution point")
	}
	return nil
}
