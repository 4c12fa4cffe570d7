package evidence

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

func checkNames(t *testing.T, names [][]byte, within []byte) {
	t.Helper()
	total := 0
	for _, name := range names {
		assert.NotEmpty(t, name)
		total += len(name)
	}
	assert.LessOrEqual(t, total, len(within), "names are parts of what was read")
	assert.LessOrEqual(t, len(names), maxAnswers)
}

// FuzzDistributionPoints: no panic, bounded, and a usable point has existing names and reasons.
func FuzzDistributionPoints(f *testing.F) {
	uri := ocsptest.FullName(ocsptest.URI("http://crl.example/a"))
	issuer := ocsptest.Element(ocsptest.Explicit(2), ocsptest.URI("http://crl.example/i"))
	relative := ocsptest.RelativeName(ocsptest.Element(ocsptest.TagSequence, []byte{6, 3, 0x55, 4, 3}, []byte("\x0c\x01a")))
	for _, fields := range [][][]byte{
		{uri}, {uri, ocsptest.Reasons(ocsptest.Context(1), 1, 8)}, {uri, issuer}, {relative}, {ocsptest.FullName()}, {ocsptest.Reasons(ocsptest.Context(1), 0)}, nil,
	} {
		f.Add(ocsptest.DistributionPoints(ocsptest.Point(fields...)).Value)
		f.Add(ocsptest.DistributionPoints(ocsptest.Point(uri), ocsptest.Point(fields...)).Value)
	}
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		points, err := parseDistributionPoints(data, nil)
		if err != nil {
			require.Empty(t, points)
			return
		}
		assert.LessOrEqual(t, len(points), maxAnswers)
		for _, p := range points {
			assert.NotEmpty(t, p.names)
			assert.Zero(t, p.reasons&^AllReasons)
			checkNames(t, p.names, data)
		}
	})
}

// FuzzIssuingPoint: no panic, bounded, at most one kind of certificates, and names exactly if there
// is a distribution point.
func FuzzIssuingPoint(f *testing.F) {
	uri := ocsptest.FullName(ocsptest.URI("http://crl.example/a"))
	for _, fields := range [][][]byte{
		{uri},
		{ocsptest.Flag(1)},
		{ocsptest.Flag(2)},
		{ocsptest.Flag(4)},
		{ocsptest.Flag(5)},
		{ocsptest.Reasons(ocsptest.Context(3), 1, 2, 8)},
		{uri, ocsptest.Flag(1), ocsptest.Reasons(ocsptest.Context(3), 0), ocsptest.Flag(4)},
		{ocsptest.Flag(1), ocsptest.Flag(2)},
		nil,
	} {
		f.Add(ocsptest.IssuingPoint(fields...).Value)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseIssuingPoint(data)
		if err != nil {
			require.Nil(t, p)
			return
		}
		assert.Zero(t, p.reasons&^AllReasons)
		checkNames(t, p.names, data)
		if !p.hasPoint {
			assert.Empty(t, p.names)
		}
		assert.False(t, p.onlyUser && p.onlyCA || p.onlyUser && p.onlyAttribute || p.onlyCA && p.onlyAttribute)
	})
}

// Points that crypto/x509 already refuses, so VerifyCRL never encounters them.
func TestDistributionPoints_RelativeNamesAreSkipped(t *testing.T) {
	relative := ocsptest.RelativeName(ocsptest.Element(ocsptest.TagSequence, []byte{6, 3, 0x55, 4, 3}, []byte("\x0c\x01a")))
	uri := ocsptest.FullName(ocsptest.URI("http://crl.example/a"))
	points, err := parseDistributionPoints(ocsptest.DistributionPoints(ocsptest.Point(relative), ocsptest.Point(uri)).Value, nil)
	require.NoError(t, err)
	require.Len(t, points, 1)
	assert.Equal(t, [][]byte{ocsptest.URI("http://crl.example/a")}, points[0].names)
}
