package evidence

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// cryptobyte requires minimal lengths and the definite form. The readers here and in dertime.go
// add three requirements: times of exactly one form, minimal INTEGERs, and no bytes after a value.

const (
	maxExtensions   = 16
	maxCertificates = 8
	maxAnswers      = 64
	// MaxResponse bounds an OCSP response, in bytes.
	MaxResponse = 64 << 10
)

var (
	tagExplicit0 = cbasn1.Tag(0).Constructed().ContextSpecific()
	tagExplicit1 = cbasn1.Tag(1).Constructed().ContextSpecific()
	tagExplicit2 = cbasn1.Tag(2).Constructed().ContextSpecific()
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// readInteger returns the content of a minimally encoded INTEGER.
func readInteger(s *cryptobyte.String) ([]byte, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.INTEGER) || len(content) == 0 {
		return nil, false
	}
	if len(content) > 1 && (content[0] == 0 && content[1] < 0x80 || content[0] == 0xFF && content[1] >= 0x80) {
		return nil, false
	}
	return content, true
}

// reader reads DER. The first error stays, and what is read afterwards means nothing, so that only
// the caller that needs the whole checks the error. The readers of parts share the error of the
// whole.
type reader struct {
	rest cryptobyte.String
	err  *error
}

func newReader(der []byte) *reader { return &reader{der, new(error)} }

// readSequence returns a reader of what is inside a SEQUENCE, which is all that there is.
func readSequence(der []byte, what string) *reader {
	r := newReader(der)
	in := r.inside(cbasn1.SEQUENCE, what)
	r.end(what)
	return in
}

// of returns a reader of other bytes that belong to the same whole.
func (r *reader) of(der []byte) *reader { return &reader{der, r.err} }

func (r *reader) fail(err error) {
	if *r.err == nil {
		*r.err = err
	}
}

func (r *reader) want(ok bool, what string) {
	if !ok && *r.err == nil {
		*r.err = malformed(what)
	}
}

func (r *reader) more() bool                 { return *r.err == nil && !r.rest.Empty() }
func (r *reader) end(what string)            { r.want(r.rest.Empty(), what) }
func (r *reader) isNext(tag cbasn1.Tag) bool { return r.rest.PeekASN1Tag(tag) }

func (r *reader) inside(tag cbasn1.Tag, what string) *reader {
	in := r.of(nil)
	r.want(r.rest.ReadASN1(&in.rest, tag), what)
	return in
}

// optional is inside for an element that may be absent.
func (r *reader) optional(tag cbasn1.Tag, what string) (in *reader, present bool) {
	in = r.of(nil)
	r.want(r.rest.ReadOptionalASN1(&in.rest, &present, tag), what)
	return in, present && *r.err == nil
}

func (r *reader) content(tag cbasn1.Tag, what string) []byte { return r.inside(tag, what).rest }

// sequence returns a whole SEQUENCE, including tag and length.
func (r *reader) sequence(what string) (element cryptobyte.String) {
	r.want(r.rest.ReadASN1Element(&element, cbasn1.SEQUENCE), what)
	return element
}

func (r *reader) anyElement(what string) (element cryptobyte.String) {
	r.want(r.rest.ReadAnyASN1Element(&element, nil), what)
	return element
}

// anyInside is inside for an element of any tag, such as a CHOICE.
func (r *reader) anyInside(what string) (in *reader, tag cbasn1.Tag) {
	in = r.of(nil)
	r.want(r.rest.ReadAnyASN1(&in.rest, &tag), what)
	return in, tag
}

func (r *reader) integer(what string) []byte {
	content, ok := readInteger(&r.rest)
	r.want(ok, what)
	return content
}

func (r *reader) number(what string) (n int) {
	r.want(r.rest.ReadASN1Integer(&n), what)
	return n
}

func (r *reader) enum(what string) (n int) {
	r.want(r.rest.ReadASN1Enum(&n), what)
	return n
}

// octetsOfBits reads a BIT STRING that consists of whole octets.
func (r *reader) octetsOfBits(what string) []byte {
	var octets []byte
	r.want(r.rest.ReadASN1BitStringAsBytes(&octets), what)
	return octets
}

// maxOID is more octets than any algorithm or extension has. A parsed identifier takes eight times
// its length, and error texts contain it.
const maxOID = 64

func (r *reader) oid(what string) (oid asn1.ObjectIdentifier) {
	ahead := r.rest
	var content cryptobyte.String
	r.want(ahead.ReadASN1(&content, cbasn1.OBJECT_IDENTIFIER) && len(content) <= maxOID && r.rest.ReadASN1ObjectIdentifier(&oid), what)
	return oid
}

func (r *reader) time(what string) time.Time {
	t, ok := readTime(&r.rest)
	r.want(ok, what)
	return t
}

func (r *reader) generalizedTime(what string) time.Time {
	r.want(r.isNext(cbasn1.GeneralizedTime), what)
	return r.time(what)
}

// extensions reads between one and maxExtensions extensions, none of them twice.
func (r *reader) extensions() (all []pkix.Extension) {
	list := r.inside(cbasn1.SEQUENCE, "extensions")
	r.want(!list.rest.Empty(), "extensions")
	for list.more() {
		if len(all) == maxExtensions {
			r.fail(fmt.Errorf("%w: more than %d extensions", ErrLimits, maxExtensions))
		}
		one := list.extension()
		if _, twice := find(all, one.Id); twice {
			r.fail(fmt.Errorf("%w: extension %s appears twice", ErrLimits, one.Id))
		}
		all = append(all, one)
	}
	return all
}

func (r *reader) optionalExtensions(tag cbasn1.Tag) (all []pkix.Extension) {
	if in, present := r.optional(tag, "extensions"); present {
		all = in.extensions()
		in.end("extensions")
	}
	return all
}

func (r *reader) extension() (one pkix.Extension) {
	in := r.inside(cbasn1.SEQUENCE, "extension")
	one.Id = in.oid("extension")
	if in.isNext(cbasn1.BOOLEAN) {
		// DER omits the default FALSE, and encodes TRUE as 0xFF, as ReadASN1Boolean requires.
		in.want(in.rest.ReadASN1Boolean(&one.Critical) && one.Critical, "extension")
	}
	one.Value = in.content(cbasn1.OCTET_STRING, "extension")
	in.end("extension")
	return one
}

func find(extensions []pkix.Extension, id asn1.ObjectIdentifier) (pkix.Extension, bool) {
	for _, one := range extensions {
		if one.Id.Equal(id) {
			return one, true
		}
	}
	return pkix.Extension{}, false
}

// checkCritical is for extensions of which none but the known ones may be critical.
func checkCritical(extensions []pkix.Extension, known ...asn1.ObjectIdentifier) error {
	for _, e := range extensions {
		if e.Critical && !slices.ContainsFunc(known, e.Id.Equal) {
			return fmt.Errorf("%w: %s", ErrCriticalExtension, e.Id)
		}
	}
	return nil
}

// serialBytes returns a serial number as the certificate encodes it, which a big.Int does not keep.
func serialBytes(raw []byte) ([]byte, bool) {
	in, tbs := cryptobyte.String(raw), cryptobyte.String(nil) // no reader, which allocates
	if !in.ReadASN1(&in, cbasn1.SEQUENCE) || !in.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(tagExplicit0) {
		return nil, false
	}
	return readInteger(&tbs)
}

// keyBits returns the content of the subjectPublicKey BIT STRING without its first octet, from
// which issuerKeyHash and byKey are computed (RFC 6960, section 4.1.1).
func keyBits(spki []byte) ([]byte, bool) {
	r := newReader(spki)
	in := r.inside(cbasn1.SEQUENCE, "")
	in.inside(cbasn1.SEQUENCE, "")
	return in.octetsOfBits(""), *r.err == nil
}
