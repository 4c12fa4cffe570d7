package evidence

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

func sequenceOf(content ...[]byte) []byte {
	return ocsptest.Element(ocsptest.TagSequence, content...)
}

func explicitly(n byte, content ...[]byte) []byte {
	return ocsptest.Element(ocsptest.Explicit(n), content...)
}

// distributionPointNames returns DistributionPointNames of RFC 5280, section 4.2.1.13, which are
// wrapped in [0] here, and the number of names in each; a negative number means malformed.
func distributionPointNames() map[string]struct {
	der   []byte
	names int
} {
	uri := ocsptest.URI("http://crl.example/a")
	many := bytes.Repeat(uri, maxAnswers)
	return map[string]struct {
		der   []byte
		names int
	}{
		"one name":                         {explicitly(0, explicitly(0, uri)), 1},
		"two names":                        {explicitly(0, explicitly(0, uri, uri)), 2},
		"64 names":                         {explicitly(0, explicitly(0, many)), 64},
		"65 names":                         {explicitly(0, explicitly(0, many, uri)), -1},
		"a name relative to the issuer":    {explicitly(0, explicitly(1, []byte{0x30, 0})), 0},
		"no choice":                        {explicitly(0), -1},
		"no names":                         {explicitly(0, explicitly(0)), -1},
		"a choice of the tag 2":            {explicitly(0, explicitly(2, uri)), -1},
		"a choice that is cut off":         {explicitly(0, []byte{0xA0, 9, 0x86}), -1},
		"two choices":                      {explicitly(0, explicitly(0, uri), explicitly(0, uri)), -1},
		"bytes after the relative name":    {explicitly(0, explicitly(1), []byte{5, 0}), -1},
		"a name that is cut off":           {explicitly(0, explicitly(0, uri[:5])), -1},
		"a second name that is cut off":    {explicitly(0, explicitly(0, uri, uri[:5])), -1},
		"the whole is cut off":             {[]byte{0xA0, 9, 0xA0}, -1},
		"names without the choice":         {explicitly(0, uri), -1},
		"a choice that is not constructed": {explicitly(0, ocsptest.Element(ocsptest.Context(0), uri)), -1},
	}
}

// flags are ReasonFlags, without tag and length. X.690, section 11.2.2: there are no trailing zero
// bits. Zero means malformed.
var flags = map[string]struct {
	content string
	want    uint16
}{
	"keyCompromise":                {"\x06\x40", 1 << 1},
	"bit 0, which is unused":       {"\x07\x80", 0},
	"bits 0 and 1":                 {"\x06\xC0", 1 << 1},
	"bits 1 to 7":                  {"\x00\x7F", 0xFE},
	"bit 7 alone":                  {"\x00\x01", 1 << 7},
	"bit 8 alone":                  {"\x07\x00\x80", 1 << 8},
	"all":                          {"\x07\x7F\x80", AllReasons},
	"all, and undefined bits":      {"\x00\x7F\xFF", AllReasons},
	"bit 15 alone":                 {"\x00\x00\x01", 0},
	"nothing":                      {"", 0},
	"no bits":                      {"\x00", 0},
	"eight bits unused":            {"\x08\x40", 0},
	"eight bits unused of sixteen": {"\x08\x7F\x00", 0},
	"a bit set that is unused":     {"\x06\x60", 0},
	"trailing zeros":               {"\x05\x40", 0},
	"a trailing octet":             {"\x00\x40\x00", 0},
	"three octets":                 {"\x00\x40\x00\x01", 0},
	"four octets":                  {"\x00\x40\x00\x00\x01", 0},
}

func TestDistributionPoints_AreReadToTheEnd(t *testing.T) {
	uri := ocsptest.URI("http://crl.example/a")
	name := explicitly(0, explicitly(0, uri))
	reasons := []byte{0x81, 2, 6, 0x40}
	issuer := explicitly(2, uri)
	read := func(point []byte) ([]distributionPoint, error) {
		alone, err := parseDistributionPoints(sequenceOf(point), nil)
		// A point that is malformed alone is also malformed before or after a good one.
		for _, both := range [][]byte{sequenceOf(point, sequenceOf(name)), sequenceOf(sequenceOf(name), point)} {
			points, errBoth := parseDistributionPoints(both, nil)
			assert.Equal(t, err == nil, errBoth == nil, "%x", both)
			if err == nil {
				assert.Len(t, points, len(alone)+1)
			} else {
				assert.Empty(t, points)
			}
		}
		return alone, err
	}
	for label, tc := range distributionPointNames() {
		for _, rest := range [][]byte{nil, reasons} {
			points, err := read(sequenceOf(tc.der, rest))
			switch {
			case tc.names < 0:
				assert.ErrorIs(t, err, ErrMalformed, label)
			case tc.names == 0:
				assert.NoError(t, err, label)
				assert.Empty(t, points, label)
			default:
				require.NoError(t, err, label)
				require.Len(t, points, 1, label)
				assert.Len(t, points[0].names, tc.names, label)
			}
		}
	}
	for label, tc := range flags {
		points, err := read(sequenceOf(name, ocsptest.Element(ocsptest.Context(1), []byte(tc.content))))
		if tc.want == 0 && label != "bit 0, which is unused" && label != "bit 15 alone" {
			assert.ErrorIs(t, err, ErrMalformed, label)
			continue
		}
		require.NoError(t, err, label)
		require.Len(t, points, 1, label)
		assert.Equal(t, tc.want, points[0].reasons, label)
	}
	for label, tc := range map[string]struct {
		point  []byte
		usable int // negative: malformed
	}{
		"a name":                      {sequenceOf(name), 1},
		"a name and reasons":          {sequenceOf(name, reasons), 1},
		"of an indirect list":         {sequenceOf(name, issuer), 0},
		"of one, with reasons":        {sequenceOf(name, reasons, issuer), 0},
		"of one, without a name":      {sequenceOf(issuer), 0},
		"nothing":                     {sequenceOf(), 0},
		"reasons alone":               {sequenceOf(reasons), 0},
		"reasons that are cut off":    {sequenceOf(name, []byte{0x81, 5, 6}), -1},
		"an issuer that is cut off":   {sequenceOf(name, []byte{0xA2, 5, 6}), -1},
		"reasons after the issuer":    {sequenceOf(name, issuer, reasons), -1},
		"trailing bytes":              {sequenceOf(name, reasons, []byte{5, 0}), -1},
		"a SET":                       {ocsptest.Element(0x31, name), -1},
		"a point that is cut off":     {sequenceOf(name)[:9], -1},
		"a number in place of a name": {sequenceOf([]byte{2, 1, 1}), -1},
	} {
		points, err := read(tc.point)
		if tc.usable < 0 {
			assert.ErrorIs(t, err, ErrMalformed, label)
			continue
		}
		assert.NoError(t, err, label)
		assert.Len(t, points, tc.usable, label)
	}
	good := sequenceOf(name)
	for label, der := range map[string][]byte{
		"nothing":        nil,
		"no points":      sequenceOf(),
		"a SET":          ocsptest.Element(0x31, good),
		"trailing bytes": append(sequenceOf(good), 5, 0),
		"cut off":        sequenceOf(good)[:9],
	} {
		_, err := parseDistributionPoints(der, nil)
		assert.ErrorIs(t, err, ErrMalformed, label)
	}
	points, err := parseDistributionPoints(sequenceOf(bytes.Repeat(good, maxAnswers)), nil)
	assert.NoError(t, err)
	assert.Len(t, points, maxAnswers)
	_, err = parseDistributionPoints(sequenceOf(bytes.Repeat(good, maxAnswers+1)), nil)
	assert.ErrorIs(t, err, ErrLimits)
}

// RFC 5280, section 5.2.5.
func TestIssuingPoint_IsReadToTheEnd(t *testing.T) {
	truth := func(n byte) []byte { return ocsptest.Element(ocsptest.Context(n), []byte{0xFF}) }
	name := explicitly(0, explicitly(0, ocsptest.URI("http://crl.example/a")))
	reasons := []byte{0x83, 2, 6, 0x40}
	for label, tc := range distributionPointNames() {
		point, err := parseIssuingPoint(sequenceOf(tc.der))
		if tc.names < 0 {
			assert.ErrorIs(t, err, ErrMalformed, label)
			continue
		}
		require.NoError(t, err, label)
		assert.True(t, point.hasPoint, label)
		assert.Len(t, point.names, tc.names, label)
	}
	for label, tc := range flags {
		point, err := parseIssuingPoint(sequenceOf(name, ocsptest.Element(ocsptest.Context(3), []byte(tc.content))))
		if tc.want == 0 && label != "bit 0, which is unused" && label != "bit 15 alone" {
			assert.ErrorIs(t, err, ErrMalformed, label)
			continue
		}
		require.NoError(t, err, label)
		assert.Equal(t, tc.want, point.reasons, label)
	}
	for label, tc := range map[string]struct {
		der  []byte
		want issuingPoint
		bad  bool
	}{
		"only user certificates":      {sequenceOf(truth(1)), issuingPoint{onlyUser: true, reasons: AllReasons}, false},
		"only CA certificates":        {sequenceOf(truth(2)), issuingPoint{onlyCA: true, reasons: AllReasons}, false},
		"only attribute certificates": {sequenceOf(truth(5)), issuingPoint{onlyAttribute: true, reasons: AllReasons}, false},
		"some reasons":                {sequenceOf(reasons), issuingPoint{reasons: 1 << 1}, false},
		"indirect":                    {sequenceOf(truth(4)), issuingPoint{indirect: true, reasons: AllReasons}, false},
		"indirect user certificates":  {sequenceOf(truth(1), truth(4)), issuingPoint{onlyUser: true, indirect: true, reasons: AllReasons}, false},
		"users and CAs only":          {sequenceOf(truth(1), truth(2)), issuingPoint{}, true},
		"CAs and attributes only":     {sequenceOf(truth(2), truth(5)), issuingPoint{}, true},
		"all three only":              {sequenceOf(truth(1), truth(2), truth(5)), issuingPoint{}, true},
		"in another order":            {sequenceOf(truth(2), truth(1)), issuingPoint{}, true},
		"a FALSE":                     {sequenceOf(ocsptest.Element(ocsptest.Context(1), []byte{0})), issuingPoint{}, true},
		"a TRUE of BER":               {sequenceOf(ocsptest.Element(ocsptest.Context(1), []byte{1})), issuingPoint{}, true},
		"a TRUE of two octets":        {sequenceOf(ocsptest.Element(ocsptest.Context(4), []byte{0xFF, 0xFF})), issuingPoint{}, true},
		"an empty TRUE":               {sequenceOf(ocsptest.Element(ocsptest.Context(5))), issuingPoint{}, true},
		"the first flag is cut off":   {sequenceOf([]byte{0x81, 5, 0xFF}), issuingPoint{}, true},
		"reasons that are cut off":    {sequenceOf([]byte{0x83, 5, 0xFF}), issuingPoint{}, true},
		"indirect, cut off":           {sequenceOf([]byte{0x84, 5, 0xFF}), issuingPoint{}, true},
		"attributes, cut off":         {sequenceOf([]byte{0x85, 5, 0xFF}), issuingPoint{}, true},
		"the tag 6":                   {sequenceOf(truth(6)), issuingPoint{}, true},
		"trailing bytes":              {sequenceOf(truth(5), []byte{5, 0}), issuingPoint{}, true},
		"nothing":                     {nil, issuingPoint{}, true},
		"an empty SEQUENCE":           {sequenceOf(), issuingPoint{}, true},
		"a SET":                       {ocsptest.Element(0x31, truth(1)), issuingPoint{}, true},
		"bytes after the SEQUENCE":    {append(sequenceOf(truth(1)), 5, 0), issuingPoint{}, true},
	} {
		point, err := parseIssuingPoint(tc.der)
		if tc.bad {
			assert.ErrorIs(t, err, ErrMalformed, label)
			assert.Nil(t, point, label)
			continue
		}
		require.NoError(t, err, label)
		assert.Equal(t, tc.want, *point, label)
	}
}
