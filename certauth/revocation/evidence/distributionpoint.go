package evidence

import (
	"bytes"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

var oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}

// distributionPoint is one DistributionPoint of a certificate (RFC 5280, section 4.2.1.13). Names
// are kept as DER and compared byte for byte.
type distributionPoint struct {
	names   [][]byte // fullName; none if the name is absent or relative to the CRL issuer
	reasons uint16   // AllReasons if the point names none
	issuer  []byte   // content of cRLIssuer, nil if absent
}

// parseDistributionPoints returns the points at which a list of the CA can be found. Indirect CRLs
// (cRLIssuer) are not supported, and a name relative to the CA is not a location. crypto/x509 does not
// keep which names belong to one point.
func parseDistributionPoints(der, ca []byte) ([]distributionPoint, error) {
	points, err := readDistributionPoints(der)
	return slices.DeleteFunc(points, func(p distributionPoint) bool { return p.isOfAnother(ca) || len(p.names) == 0 }), err
}

// isOfAnother reports whether an issuer other than the CA signs the list. Some CAs write their own name
// there, which they should leave out (RFC 5280, section 4.2.1.13).
func (p *distributionPoint) isOfAnother(ca []byte) bool {
	name, ok := directoryName(p.issuer)
	return p.issuer != nil && !(ok && dn.Match(name, ca))
}

// readDistributionPoints returns all points, usable or not.
func readDistributionPoints(der []byte) (points []distributionPoint, err error) {
	list := readSequence(der, "distribution points")
	list.want(!list.rest.Empty(), "distribution points")
	for list.more() {
		if len(points) == maxAnswers {
			list.fail(ErrLimits)
		}
		points = append(points, list.distributionPoint())
	}
	if *list.err != nil {
		return nil, *list.err
	}
	return points, nil
}

func (r *reader) distributionPoint() (point distributionPoint) {
	one := r.inside(cbasn1.SEQUENCE, "distribution point")
	point.names = one.pointName()
	point.reasons = one.optionalReasons(1)
	if issuer, present := one.optional(tagExplicit2, "distribution point"); present {
		point.issuer = append([]byte{}, issuer.rest...)
	}
	one.end("distribution point")
	return point
}

// pointName reads an optional DistributionPointName. A name relative to the issuer gives no names.
func (r *reader) pointName() (names [][]byte) {
	const what = "distribution point name"
	explicit, present := r.optional(tagExplicit0, what)
	if !present {
		return nil
	}
	general, tag := explicit.anyInside(what)
	explicit.end(what)
	if tag == tagExplicit1 {
		return nil
	}
	r.want(tag == tagExplicit0 && !general.rest.Empty(), what)
	for general.more() {
		r.want(len(names) < maxAnswers, what)
		names = append(names, general.anyElement(what))
	}
	return names
}

// optionalReasons reads optional ReasonFlags, whose default is all reasons.
func (r *reader) optionalReasons(tag uint8) uint16 {
	content, present := r.optional(cbasn1.Tag(tag).ContextSpecific(), "reasons")
	if !present {
		return AllReasons
	}
	mask, ok := reasonFlags(content.rest)
	r.want(ok, "reason flags")
	return mask
}

// reasonFlags reads the content of ReasonFlags, a named BIT STRING: DER omits trailing zero bits,
// and an empty set would cover nothing.
func reasonFlags(content []byte) (mask uint16, ok bool) {
	if len(content) < 2 || len(content) > 3 || content[0] > 7 {
		return 0, false
	}
	bits, unused := content[1:], content[0]
	if last := bits[len(bits)-1]; last&(1<<unused-1) != 0 || last>>unused&1 == 0 {
		return 0, false
	}
	for i := range len(bits) * 8 {
		mask |= uint16(bits[i/8]>>(7-i%8)&1) << i
	}
	return mask & AllReasons, true
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
	return slices.ContainsFunc(p.names, func(other []byte) bool { return bytes.Equal(name, other) })
}

// namesCA reports whether the point is the directory name of the CA itself. Such a list covers all
// of its certificates, whatever distribution points they have (RFC 5280, section 6.3.3, last
// paragraph).
func (p *issuingPoint) namesCA(name []byte) bool {
	return slices.ContainsFunc(p.names, func(general []byte) bool {
		directory, ok := directoryName(general)
		return ok && dn.Match(directory, name)
	})
}

// directoryName returns the Name in a GeneralName that contains one.
func directoryName(general cryptobyte.String) ([]byte, bool) {
	var name cryptobyte.String
	if !general.ReadASN1(&name, cbasn1.Tag(4).Constructed().ContextSpecific()) || !general.Empty() {
		return nil, false
	}
	return name, true
}

func parseIssuingPoint(der []byte) (*issuingPoint, error) {
	const what = "issuing distribution point"
	in := readSequence(der, what)
	in.want(!in.rest.Empty(), what)
	p := &issuingPoint{hasPoint: in.isNext(tagExplicit0), names: in.pointName()}
	p.onlyUser, p.onlyCA = in.optionalTrue(1), in.optionalTrue(2)
	p.reasons = in.optionalReasons(3)
	p.indirect, p.onlyAttribute = in.optionalTrue(4), in.optionalTrue(5)
	in.end(what)
	in.want(!(p.onlyUser && p.onlyCA || p.onlyUser && p.onlyAttribute || p.onlyCA && p.onlyAttribute), what)
	if *in.err != nil {
		return nil, *in.err
	}
	return p, nil
}

// optionalTrue reads an optional BOOLEAN whose default is FALSE, which DER omits.
func (r *reader) optionalTrue(tag uint8) bool {
	const what = "issuing distribution point"
	in, present := r.optional(cbasn1.Tag(tag).ContextSpecific(), what)
	r.want(!present || string(in.rest) == "\xFF", what)
	return present
}
